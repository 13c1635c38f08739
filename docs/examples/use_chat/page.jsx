import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
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

function Chat({ saved, onNew }) {
  const { id } = saved;
  const [input, setInput] = useState('');
  const { messages, sendMessage, regenerate, stop, status, error, addToolOutput } = useChat({
    id,
    messages: saved.messages,
    transport,
    resume: saved.isOpen,
    // The tools that the page executes: its outputs are posted once all calls of a turn have one.
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall({ toolCall: { toolName: tool, toolCallId } }) {
      // Not awaited: the answer is not read on before this function returns.
      if (tool === 'local_time') addToolOutput({ tool, toolCallId, output: new Date().toString() });
    },
    onFinish: ({ messages }) => saveChat({ id, messages, isOpen: false }),
  });
  useEffect(() => {
    if (status === 'submitted') saveChat({ id, messages, isOpen: true });
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

function Page() {
  const [saved, setSaved] = useState(loadChat);

  function startAnew() {
    const chat = newChat();
    saveChat(chat);
    setSaved(chat);
  }

  return <Chat key={saved.id} saved={saved} onNew={startAnew} />;
}

createRoot(document.getElementById('chat')).render(<Page />);
