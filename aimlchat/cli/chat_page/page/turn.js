'use strict';
// One turn of the conversation: a question and its answer.

const FINISH_NOTES = {
  length: 'The answer was cut off at its token limit.',
  'content-filter': 'The answer was stopped by a content filter.',
};
const FINAL_STATES = ['done', 'stopped', 'failed'];
const numberFormat = new Intl.NumberFormat('en');

class Turn {
  // `data` is plain data that survives a reload:
  //   answerId                            the id under which the server knows the answer
  //   question, model, thinking           what was sent
  //   reasoning, answer                   the text so far
  //   state                               waiting, thinking, answering, done, stopped or failed
  //   lastFrame                           the number of the last frame
  //   startedAt                           when the question was sent, in ms since the epoch
  //   thinkingSeconds                     for how long the model thought, null until it answers
  //   note                                a sentence about the end: a cut, a stop or an error
  //   metadata                            model, usage, cost and seconds of a finished answer
  // `onRender` is called after each change of the turn's elements.
  constructor(onRender, data) {
    this.onRender = onRender;
    this.data = {
      reasoning: '', answer: '', state: 'waiting', lastFrame: 0, startedAt: Date.now(),
      thinkingSeconds: null, note: '', metadata: null, ...data,
    };
    this.element = document.getElementById('turn').content.cloneNode(true).firstElementChild;
    this.find('.question').textContent = this.data.question;
    this.find('.model-name').textContent = this.data.model ?? 'Model';
    this.reasoningView = new MarkdownView(this.find('.reasoning .prose'));
    this.answerView = new MarkdownView(this.find('.answer'));
    this.find('.copy').addEventListener('click', event => copyText(this.data.answer, event.target));
    this.renderSoon = throttleRendering(() => this.render());
    this.render();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  get hasEnded() {
    return FINAL_STATES.includes(this.data.state);
  }

  // Applies a frame of the UI message stream (docs/relay.md has a table of them).
  apply(frame) {
    const { data } = this;
    data.lastFrame = frame.number ?? data.lastFrame;
    switch (frame.type) {
      case 'start': // a page that was reloaded gets the whole answer again
        Object.assign(data, { reasoning: '', answer: '', state: 'waiting', note: '' });
        break;
      case 'reasoning-delta':
        data.reasoning += frame.delta;
        if (data.state === 'waiting') this.enter('thinking');
        break;
      case 'text-delta':
        data.answer += frame.delta;
        if (data.state !== 'answering') this.enter('answering');
        break;
      case 'finish':
        data.metadata = { ...frame.messageMetadata, seconds: this.secondsSinceStart() };
        data.note = FINISH_NOTES[frame.finishReason] ?? '';
        if (!data.answer) data.note ||= 'The model gave no answer.';
        this.enter('done');
        break;
      case 'abort':
        data.note = 'Stopped.';
        this.enter('stopped');
        break;
      case 'error':
        data.note = frame.errorText;
        // Only errors of the API have a frame number, and only those are printed by the server.
        if (frame.number) data.note += ' The terminal that runs aimlchat serve shows the details.';
        this.enter('failed');
    }
    if (this.hasEnded) this.render();
    else this.renderSoon();
  }

  enter(state) {
    if (this.data.state === 'thinking') this.data.thinkingSeconds ??= this.secondsSinceStart();
    this.data.state = state;
    // The reasoning is opened once and closed once; otherwise it stays as the user leaves it.
    if (state === 'thinking') this.find('.reasoning').open = true;
    if (state === 'answering') this.find('.reasoning').open = false;
  }

  secondsSinceStart() {
    return (Date.now() - this.data.startedAt) / 1000;
  }

  render() {
    const { data } = this;
    this.element.dataset.state = data.state;
    this.find('.waiting').hidden = data.state !== 'waiting';
    this.renderReasoning();
    this.answerView.show(data.answer, !this.hasEnded);
    this.find('.error').hidden = data.state !== 'failed';
    this.find('.error p').textContent = data.note;
    const summary = this.formatSummary();
    this.find('footer').hidden = !this.hasEnded || !(summary || data.answer);
    this.find('.turn-summary').textContent = summary;
    this.find('.copy').hidden = !data.answer;
    this.onRender();
  }

  renderReasoning() {
    const { data } = this;
    this.find('.reasoning').hidden = !data.reasoning;
    this.renderThinkingTime();
    const prose = this.reasoningView.element;
    const isAtEnd = prose.scrollHeight - prose.scrollTop - prose.clientHeight < 30;
    this.reasoningView.show(data.reasoning, !this.hasEnded && !data.answer);
    if (data.state === 'thinking' && isAtEnd) prose.scrollTop = prose.scrollHeight;
  }

  renderThinkingTime() {
    const isThinking = this.data.state === 'thinking';
    const elapsed = isThinking ? this.secondsSinceStart() : this.data.thinkingSeconds ?? 0;
    const seconds = Math.round(elapsed);
    const thought = seconds ? `Thought for ${seconds} s` : 'Thought';
    this.find('.reasoning summary').textContent = isThinking ? `Thinking, ${seconds} s` : thought;
  }

  formatSummary() {
    const { state, note, metadata } = this.data;
    const parts = state === 'failed' ? [] : [note];
    if (metadata) {
      const { model, usage, cost, seconds } = metadata;
      parts.push(model, formatUsage(usage), cost && formatDollars(cost.usd));
      parts.push(`${seconds.toFixed(1)} s`);
    }
    return parts.filter(Boolean).join(' · ');
  }
}

function formatUsage(usage) {
  const counts = [
    [usage?.inputTokens, 'tokens in'],
    [usage?.outputTokens, 'out'],
    [usage?.outputTokenDetails?.reasoningTokens, 'of reasoning'],
  ];
  const known = counts.filter(([count]) => count != null);
  return known.map(([count, label]) => `${numberFormat.format(count)} ${label}`).join(', ');
}

function formatDollars(usd) {
  if (usd > 0 && usd < 0.000001) return 'less than $0.000001';
  return `$${usd.toFixed(6).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

// Returns a function that calls `render` soon: at most once per animation frame, not while the tab
// is hidden, and for at most a quarter of the time, so that a long answer does not block the page.
function throttleRendering(render) {
  let isScheduled = false;
  let pause = 0; // in ms
  return () => {
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(() => requestAnimationFrame(() => {
      isScheduled = false;
      const start = performance.now();
      render();
      pause = 3 * (performance.now() - start);
    }), pause);
  };
}
