// A page with `useChat`, in strict mode as pages of Next.js are. Tests drive it by `window.chat`.
//
//   /?api=/plain&id=c    and &resume to resume after a reload

import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from 'ai';

const settings = new URLSearchParams(location.search);
const id = settings.get('id');
const log = (window.log = { calls: [], data: [], errors: [], ends: [] });
const transport = new DefaultChatTransport({ api: settings.get('api') });

function store(messages) {
  sessionStorage.setItem(id, JSON.stringify(messages));
}

function Page() {
  const [initial] = useState(() => JSON.parse(sessionStorage.getItem(id) ?? '[]'));
  const chat = useChat({
    id,
    transport,
    messages: initial,
    resume: settings.has('resume'),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall({ toolCall }) {
      log.calls.push(toolCall);
      const { toolName: tool, toolCallId, input } = toolCall;
      chat.addToolOutput({ tool, toolCallId, output: { city: input.city, celsius: 21 } });
    },
    onData: part => log.data.push(part),
    onError: error => log.errors.push(error.message),
    onFinish({ messages, isAbort, isError, isDisconnect, finishReason }) {
      log.ends.push({ isAbort, isError, isDisconnect, finishReason });
      store(messages);
    },
  });
  window.chat = chat;
  useEffect(() => {
    if (chat.status === 'submitted') store(chat.messages); // an answer in progress is resumed
  }, [chat.status]);
  return (
    <>
      <p id="status">{chat.status}</p>
      {chat.messages.map(message => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, index) => (
            <p key={index} className={part.type}>{part.text ?? JSON.stringify(part)}</p>
          ))}
        </article>
      ))}
    </>
  );
}

createRoot(document.getElementById('page')).render(<StrictMode><Page /></StrictMode>);
