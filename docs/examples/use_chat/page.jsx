import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';

const transport = new DefaultChatTransport({ api: '/chat' });

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
    default: // such as data-error, whose sentence is `error` below
      return null;
  }
}

function Chat() {
  const [input, setInput] = useState('');
  const { messages, sendMessage, regenerate, stop, status, error } = useChat({ transport });
  const isBusy = status === 'submitted' || status === 'streaming';
  const usage = messages.at(-1)?.metadata?.usage; // there at the end of an answer

  function submit(event) {
    event.preventDefault();
    if (isBusy || !input.trim()) return;
    sendMessage({ text: input });
    setInput('');
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
        {isBusy ? <button type="button" onClick={stop}>Stop</button> : <button>Send</button>}
      </form>
    </>
  );
}

createRoot(document.getElementById('chat')).render(<Chat />);
