// Reads one stream of frames, as a JSON array, from each line, and prints for each a line with the
// frames that the schema of the AI SDK refuses, the errors of reading them, and the final message.

import { createInterface } from 'node:readline';
import { readUIMessageStream, uiMessageChunkSchema } from 'ai';

const schema = uiMessageChunkSchema();

for await (const line of createInterface({ input: process.stdin })) {
  const frames = JSON.parse(line);
  const results = await Promise.all(frames.map(frame => schema.validate(frame)));
  const refused = frames.filter((_, index) => !results[index].success);
  const errors = [];
  let message = null;
  const stream = ReadableStream.from(frames);
  const onError = error => errors.push(error.message);
  for await (const state of readUIMessageStream({ stream, onError })) message = state;
  console.log(JSON.stringify({ refused, errors, message }));
}
