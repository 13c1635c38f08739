// The browser's examples of docs/relay.md, which the test has put beside this file, as a page runs
// them. Prints, as JSON, what the page was shown.
//
//   node page.mjs ask ws://... question
//   node page.mjs follow http://... question    loses its connection at the first text

import { WebSocket } from 'undici'; // a browser brings its own, and so does a newer Node
import { ask } from './ask.mjs';
import { follow } from './follow.mjs';

let current;
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url);
    current = this;
  }
};

async function asked(url, question) {
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

async function followed(url, question) {
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

const [how, url, question] = process.argv.slice(2);
console.log(JSON.stringify(await (how === 'ask' ? asked : followed)(url, question)));
