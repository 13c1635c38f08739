import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat, useChat } from '@ai-sdk/react';
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from 'ai';

const transport = new DefaultChatTransport({ api: '/chat' });

// The browser keeps the conversation. An answer that is open has not ended for this page.
const newChat = () => ({ id: crypto.randomUUID(), messages: [], isOpen: false });
const loadChat = () => JSON.parse(localStorage.getItem('chat')) ?? newChat();
const saveChat = chat => localStorage.setItem('chat', JSON.stringify(chat));

function Part({ part }) {
  switch (part.type) {
    case 'reasoning':
      return (
        <details open={part.state === 'streaming'}>
          <summary>Reasoning</summary>
          <div className="reasoning">{part.text}</div>
        </details>
      );
    case 'text':
      return <div className="text">{part.text}</div>;
    case 'tool-local_time':
      return <small>{part.state === 'output-available' ? `Told the time: ${part.output}` : 'Telling the time'}</small>;
    case 'data-article':
      return <small>See <a href={part.data.url}>{part.data.title}</a></small>;
    default: // such as step-start
      return null;
  }
}

function makeChat({ id, messages }, onEnd) {
  const chat = new Chat({
    id,
    messages,
    transport,
    // The tools that the page executes: their outputs are posted once all calls of a turn have one.
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall({ toolCall: { toolName: tool, toolCallId } }) {
      // Not awaited: nothing more is read before this function returns.
      if (tool === 'local_time') chat.addToolOutput({ tool, toolCallId, output: new Date().toString() });
    },
    onFinish({ messages, isDisconnect }) {
      if (isDisconnect) return; // the answer goes on without this page
      saveChat({ id, messages, isOpen: false });
      onEnd();
    },
  });
  return chat;
}

function Conversation({ saved, onNew }) {
  const { id } = saved;
  const [input, setInput] = useState('');
  const [isOpen, setIsOpen] = useState(saved.isOpen);
  const [chat] = useState(() => makeChat(saved, () => setIsOpen(false)));
  const { messages, sendMessage, regenerate, stop, status, error } = useChat({
    chat,
    resume: isOpen, // after a reload, and when the page is shown again after it lost its connection
  });
  useEffect(() => {
    // A short answer may have ended before React shows that the question was sent.
    if (status !== 'submitted' || chat.status === 'ready' || chat.status === 'error') return;
    setIsOpen(true);
    saveChat({ id, messages, isOpen: true });
  }, [status]);
  const isBusy = status === 'submitted' || status === 'streaming';
  const usage = messages.at(-1)?.metadata?.usage; // there at the end of an answer

  function submit(event) {
    event.preventDefault();
    if (isBusy || !input.trim()) return;
    sendMessage({ text: input });
    setInput('');
  }

  function stopAnswer() {
    stop(); // this page reads no more
    fetch(`/chat/${id}/stop`, { method: 'POST' }); // the model writes no more
  }

  return (
    <>
      {messages.map(message => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, index) => <Part key={index} part={part} />)}
        </article>
      ))}
      {usage && <p><small>{usage.inputTokens} + {usage.outputTokens} tokens</small></p>}
      {error && <p role="alert">{error.message} <button onClick={() => regenerate()}>Again</button></p>}
      <form onSubmit={submit}>
        <input aria-label="Question" value={input} onChange={event => setInput(event.target.value)} />
        {isBusy ? <button type="button" onClick={stopAnswer}>Stop</button> : <button>Send</button>}
        <button type="button" disabled={isBusy} onClick={onNew}>New chat</button>
      </form>
    </>
  );
}

export default function Page() {
  const [saved, setSaved] = useState(null);
  useEffect(() => setSaved(loadChat()), []); // Next.js renders on its server too, which has no storage

  function startAnew() {
    const chat = newChat();
    saveChat(chat);
    setSaved(chat);
  }

  return saved && <Conversation key={saved.id} saved={saved} onNew={startAnew} />;
}

createRoot(document.getElementById('chat')).render(<Page />);
