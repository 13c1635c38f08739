// Reads frames with the AI SDK, as a page does. Prints, as JSON, the final message, the errors, and
// the frames that the schema of the AI SDK refuses.
//
//   node read.mjs http://... [id]    calls an endpoint as useChat does
//   node read.mjs < frames      reads the frames of a web socket, one per line

import { text } from 'node:stream/consumers';
import { DefaultChatTransport, readUIMessageStream, uiMessageChunkSchema } from 'ai';

async function streamFromEndpoint(api, chatId) {
  const question = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Why?' }] };
  return new DefaultChatTransport({ api }).sendMessages({
    chatId,
    messages: [question],
    trigger: 'submit-message',
  });
}

async function findRefused(frames) {
  const schema = uiMessageChunkSchema();
  const results = await Promise.all(frames.map(frame => schema.validate(frame)));
  return frames.filter((_, index) => !results[index].success);
}

const [url, id = 'c'] = process.argv.slice(2);
const frames = url ? [] : (await text(process.stdin)).trim().split('\n').map(JSON.parse);
const stream = url ? await streamFromEndpoint(url, id) : ReadableStream.from(frames);

const errors = [];
let message = null;
for await (const state of readUIMessageStream({ stream, onError: error => errors.push(error.message) })) {
  message = state;
}
console.log(JSON.stringify({ message, errors, refused: await findRefused(frames) }));
