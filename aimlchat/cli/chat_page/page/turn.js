'use strict';
// One turn of the conversation: a question and its answer.

const FINISH_NOTES = {
  length: 'The answer was cut off at its token limit.',
  'content-filter': 'The answer was stopped by a content filter.',
};
const FINAL_STATES = ['done', 'stopped', 'failed'];
const numberFormat = new Intl.NumberFormat('en');

// What a new answer begins with.
const newAnswer = () => ({
  reasoning: '', answer: '', addition: '', before: null, state: 'waiting', lastFrame: 0,
  thinkingSeconds: null, note: '', errorDetail: null, metadata: null, calls: [], breaks: [],
  signedTurns: [],
});

class Turn {
  // `data` is plain data that survives a reload:
  //   question, files                     what was sent
  //   otherAnswers, answerIndex           earlier answers to it (answers.js)
  // and of the answer that is shown:
  //   answerId                            the id under which the server knows the answer
  //   model, options                      what was sent (requestOptions in settings.js)
  //   reasoning, answer                   the text so far
  //   calls                               the calls of tools, as calls.js has them
  //   breaks                              where each step but the first begins in the answer and
  //                                       among the calls
  //   signedTurns                         for the model: its turn, or null, for each step
  //   before, addition                    of an answer that continues after a cut: what its part
  //                                       before the cut was, and the text that came since
  //   state                               waiting, thinking, answering, done, stopped or failed
  //   lastFrame                           the number of the last frame
  //   startedAt                           when the question was sent, in ms since the epoch
  //   thinkingSeconds                     for how long the model thought, null until it answers
  //   note                                a sentence about the end: a cut, a stop or an error
  //   errorDetail                         the server's words about a failure, facts and advice
  //   metadata                            model, usage, cost and seconds of a finished answer
  // `track` is called with each function that changes the turn's elements, and calls it.
  constructor(track, data) {
    this.track = track;
    this.data = {
      ...newAnswer(), files: [], otherAnswers: [], answerIndex: 0, startedAt: Date.now(), ...data,
    };
    this.element = document.getElementById('turn').content.cloneNode(true).firstElementChild;
    this.find('.question').textContent = this.data.question;
    setDirection(this.find('.question'), this.data.question);
    this.find('.question').hidden = !this.data.question;
    renderFiles(this.find('.files'), this.data.files);
    this.waitingView = new WaitingView(this.element);
    this.reasoningEnd = new EndFollower(this.find('.reasoning .prose'));
    this.reasoningView = new MarkdownView(this.reasoningEnd.element, change => this.reasoningEnd.track(change));
    this.callsView = new CallsView(this.find('.calls'));
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
    this.waitingView.apply(frame);
    switch (frame.type) {
      case 'start': // a page that was reloaded gets the whole answer again
        Object.assign(data, { addition: '', state: 'waiting', note: '', errorDetail: null });
        Object.assign(data, { reasoning: '', answer: '', ...data.before?.texts });
        for (const name of ['calls', 'breaks', 'signedTurns']) data[name] = [...data.before?.[name] ?? []];
        break;
      case 'start-step': // the first one, or one after the results of tools
        if (data.calls.length > (data.before?.calls.length ?? 0)) startNextStep(data);
        break;
      case 'reasoning-delta':
        addReasoning(data, frame.delta);
        if (data.state === 'waiting') this.enter('thinking');
        break;
      case 'text-delta':
        addText(data, frame.delta);
        if (data.state !== 'answering') this.enter('answering');
        break;
      case 'message-metadata':
        keepSignedTurns(data, frame.messageMetadata.turns ?? []);
        break;
      case 'finish': {
        const { turns: signedTurns = [], ...metadata } = frame.messageMetadata;
        keepSignedTurns(data, signedTurns);
        data.metadata = addUp(data.before?.metadata, { ...metadata, seconds: this.secondsSinceStart() });
        data.note = FINISH_NOTES[frame.finishReason] ?? '';
        if (!data.answer && !data.calls.length) data.note ||= 'The model gave no answer.';
        this.enter('done');
        break;
      }
      case 'abort':
        data.note = frame.reason === 'left' ? 'Stopped, because this page was left.' : 'Stopped.';
        this.enter('stopped');
        break;
      case 'data-error-detail': // followed by `error`
        data.errorDetail = frame.data;
        break;
      case 'error':
        data.note = data.errorDetail?.message ?? frame.errorText;
        this.enter('failed');
        break;
      default:
        if (applyToCalls(data.calls, frame) && data.state !== 'answering') this.enter('answering');
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
    this.track(() => this.renderParts());
  }

  renderParts() {
    const { data } = this;
    this.element.dataset.state = data.state;
    this.find('.model-name').textContent = data.model ?? 'Model';
    this.placeWaiting();
    this.waitingView.render(data);
    this.renderReasoning();
    this.callsView.show(data.calls);
    this.answerView.show(data.answer, !this.hasEnded);
    showError(this.element, data);
    const shownAsError = data.state === 'failed' ? { note: '' } : {};
    this.find('.turn-summary').textContent = formatSummary({ ...data, ...shownAsError });
    this.find('.copy').hidden = !data.answer;
    this.renderChoices();
  }

  // Shows what can be done with an answer that has ended.
  renderChoices() {
    const { data } = this;
    const count = countAnswers(data);
    this.find('.versions').hidden = count === 1;
    this.find('.version').textContent = `${data.answerIndex + 1}/${count}`;
    this.find('.earlier').disabled = data.answerIndex === 0;
    this.find('.later').disabled = data.answerIndex === count - 1;
    this.find('.continue').hidden = !isCut(data);
    const hasFailed = data.state === 'failed'; // then there is a button beside the error
    this.find('.regenerate').hidden = hasFailed;
    this.find('footer').hidden = !this.hasEnded || (hasFailed && !data.answer && count === 1);
  }

  // The rest of an answer that was cut is awaited at the end of its first part.
  placeWaiting() {
    const waiting = this.find('.waiting');
    const before = this.find(this.data.before ? '.answer' : '.model-name');
    if (before.nextElementSibling !== waiting) before.after(waiting);
  }

  renderReasoning() {
    const { data } = this;
    this.find('.reasoning').hidden = !data.reasoning;
    this.renderThinkingTime();
    const isGrowing = !this.hasEnded && !data.answer;
    this.reasoningEnd.track(() => this.reasoningView.show(data.reasoning, isGrowing));
  }

  // Updates what changes with time only.
  renderTimes() {
    this.track(() => {
      this.waitingView.render(this.data);
      this.renderThinkingTime();
    });
  }

  renderThinkingTime() {
    const { data } = this;
    const isThinking = data.state === 'thinking';
    const elapsed = isThinking ? this.secondsSinceStart() : data.thinkingSeconds ?? data.before?.thinkingSeconds ?? 0;
    const seconds = Math.round(elapsed);
    const thought = seconds ? `Thought for ${seconds} s` : 'Thought';
    this.find('.reasoning summary').textContent = isThinking ? `Thinking, ${seconds} s` : thought;
  }
}

function formatSummary({ note, metadata }) {
  const parts = [note];
  if (metadata) {
    const { model, usage, cost, seconds } = metadata;
    parts.push(model, formatUsage(usage), cost && formatDollars(cost.usd));
    parts.push(`${seconds.toFixed(1)} s`);
  }
  return parts.filter(Boolean).join(' · ');
}

function formatUsage(usage) {
  const counts = [
    [usage?.inputTokens, 'tokens in'],
    [usage?.outputTokens, 'out'],
    [usage?.outputTokenDetails?.reasoningTokens || null, 'of reasoning'],
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
