// Runs the examples for browsers in docs/relay.md, which the test has written beside this file.
// Prints, as JSON, what the page has shown.
//
//   node page.mjs ask ws://... question
//   node page.mjs follow http://... question    disconnects at the first text

import { WebSocket } from 'undici'; // browsers and newer versions of Node have it built in
import { ask } from './ask.mjs';
import { follow } from './follow.mjs';

let current;
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url);
    current = this;
  }
};

async function runAsk(url, question) {
  const socket = new globalThis.WebSocket(url);
  await new Promise(resolve => (socket.onopen = resolve));
  const shown = { reasoning: '', text: '' };
  try {
    shown.end = await ask(socket, question, (kind, text) => (shown[kind] += text));
  } catch (error) {
    shown.error = { message: error.message, code: error.code };
  }
  socket.close();
  return shown;
}

async function runFollow(url, question) {
  const path = await (await fetch(`${url}/ask`, { method: 'POST', body: question })).text();
  const shown = { text: '', connections: 1 };
  shown.end = await follow(`${url}${path}`.replace('http', 'ws'), frame => {
    if (frame.type !== 'text-delta') return;
    if (!shown.text) {
      current.close();
      shown.connections += 1;
    }
    shown.text += frame.delta;
  });
  return shown;
}

const [example, url, question] = process.argv.slice(2);
const run = example === 'ask' ? runAsk : runFollow;
console.log(JSON.stringify(await run(url, question)));
