// A chat of the AI SDK without a page, which answers the tool `ask` by itself and posts again once
// the calls of the last step have outputs. Prints, as JSON, how often it has posted and what it has.
//
//   node chat.mjs http://... question...

import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from 'ai';
import { Chat } from '@ai-sdk/react';

const [api, ...questions] = process.argv.slice(2);
const errors = [];
let posts = 0;

async function post(...request) {
  posts += 1;
  if (posts > 9) throw new Error('the chat posts for ever');
  return fetch(...request);
}

const chat = new Chat({
  transport: new DefaultChatTransport({ api, fetch: post }),
  sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  onToolCall({ toolCall: { toolName, toolCallId } }) {
    if (toolName === 'ask') chat.addToolOutput({ tool: 'ask', toolCallId, output: 'yes' });
  },
  onError: error => errors.push(error.message),
});

// A chat that has ended a response may post again in the same pass of the event loop.
async function untilIdle() {
  for (let idle = 0; idle < 5; idle += 1) {
    await new Promise(resolve => setTimeout(resolve, 2));
    if (['submitted', 'streaming'].includes(chat.status)) idle = 0;
  }
}

for (const text of questions) {
  await chat.sendMessage({ text });
  await untilIdle();
}
console.log(JSON.stringify({ posts, errors, messages: chat.messages }));
