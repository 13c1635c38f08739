// A page with `useChat`, in strict mode as pages of Next.js are. Tests drive it by `window.chat`.
//
//   /?api=/plain&id=c    with &resume a reload resumes an answer that has not ended

import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat, useChat } from '@ai-sdk/react';
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from 'ai';

const settings = new URLSearchParams(location.search);
const id = settings.get('id');
const log = (window.log = { calls: [], data: [], errors: [], ends: [] });
const transport = new DefaultChatTransport({ api: settings.get('api') });

const saved = JSON.parse(sessionStorage.getItem(id)) ?? { messages: [], isOpen: false };

function save(messages, isOpen) {
  sessionStorage.setItem(id, JSON.stringify({ messages, isOpen }));
}

// Version 6 of `useChat` hides from a chat of its own that a resumed stream begins anew. Without
// &resume the page leaves the chat to `useChat`.
const options = {
  id,
  transport,
  messages: saved.messages,
  sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  onToolCall({ toolCall }) {
    log.calls.push(toolCall);
    const { toolName: tool, toolCallId, input } = toolCall;
    window.chat.addToolOutput({ tool, toolCallId, output: { city: input.city, celsius: 21 } });
  },
  onData: part => log.data.push(part),
  onError: error => log.errors.push(error.message),
  onFinish({ messages, isAbort, isError, isDisconnect, finishReason }) {
    log.ends.push({ isAbort, isError, isDisconnect, finishReason });
    if (isDisconnect) return; // the answer goes on without this page
    window.setIsOpen(false);
    save(messages, false);
  },
};
const own = settings.has('resume') ? { chat: new Chat(options) } : options;

function Page() {
  const [isOpen, setIsOpen] = useState(saved.isOpen);
  window.setIsOpen = setIsOpen;
  const chat = useChat({ ...own, resume: settings.has('resume') && isOpen });
  window.chat = chat;
  useEffect(() => {
    // A short answer may have ended before React shows that the question was sent.
    if (chat.status !== 'submitted' || own.chat?.status === 'ready') return;
    setIsOpen(true);
    save(chat.messages, true);
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
