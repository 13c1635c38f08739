// The AI SDK as a page has it. Prints, as JSON, the message that it ends with, the errors that it
// meets, and the frames that its schema refuses.
//
//   node read.mjs http://...    asks an endpoint as useChat does
//   node read.mjs < frames      reads frames out of a web socket, one a line

import { text } from 'node:stream/consumers';
import { DefaultChatTransport, readUIMessageStream, uiMessageChunkSchema } from 'ai';

async function fromEndpoint(api) {
  const question = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Why?' }] };
  return new DefaultChatTransport({ api }).sendMessages({
    chatId: 'c',
    messages: [question],
    trigger: 'submit-message',
  });
}

async function refusedOf(frames) {
  const schema = uiMessageChunkSchema();
  const results = await Promise.all(frames.map(frame => schema.validate(frame)));
  return frames.filter((_, place) => !results[place].success);
}

const [url] = process.argv.slice(2);
const frames = url ? [] : (await text(process.stdin)).trim().split('\n').map(JSON.parse);
const stream = url ? await fromEndpoint(url) : ReadableStream.from(frames);

const errors = [];
let message = null;
for await (const state of readUIMessageStream({ stream, onError: error => errors.push(error.message) })) {
  message = state;
}
console.log(JSON.stringify({ message, errors, refused: await refusedOf(frames) }));
