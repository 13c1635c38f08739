'use strict';
// One question and its answer: what is known of it, and how that looks.

const FINISHED = {
  length: 'The answer was cut off at its limit of tokens.',
  'content-filter': 'The answer was stopped by a content filter.',
};
const number = new Intl.NumberFormat('en');

class Turn {
  // `facts` is plain data that survives a reload:
  //   name, question, model, thinking   what was asked, and under which name
  //   reasoning, answer                 what has come
  //   state                             waiting thinking answering done stopped failed
  //   seen                              the number of the last frame
  //   began, thought                    when it was asked; for how many seconds the model thought
  //   note, told                        what is odd about the end; model, usage, cost
  // `painted` is called each time that it looks different.
  constructor(painted, facts) {
    this.painted = painted;
    this.facts = {
      reasoning: '', answer: '', state: 'waiting', seen: 0, began: Date.now(), thought: null,
      note: '', told: null, ...facts,
    };
    this.node = document.getElementById('turn').content.cloneNode(true).firstElementChild;
    this.find('.question').textContent = this.facts.question;
    this.find('.who').textContent = this.facts.model ?? 'Model';
    this.reasoning = new Prose(this.find('.reasoning .prose'));
    this.answer = new Prose(this.find('.answer'));
    this.find('.copy').addEventListener('click', event => copy(this.facts.answer, event.target));
    this.paintSoon = atLeisure(() => this.paint());
    this.paint();
  }

  find(selector) {
    return this.node.querySelector(selector);
  }

  get isOver() {
    return ['done', 'stopped', 'failed'].includes(this.facts.state);
  }

  // Takes a frame of the UI message stream.
  take(frame) {
    const facts = this.facts;
    facts.seen = frame.number ?? facts.seen;
    switch (frame.type) {
      case 'start': // also when a page that was reloaded is shown all of it again
        Object.assign(facts, { reasoning: '', answer: '', state: 'waiting', note: '' });
        break;
      case 'reasoning-delta':
        facts.reasoning += frame.delta;
        if (facts.state === 'waiting') this.enter('thinking');
        break;
      case 'text-delta':
        facts.answer += frame.delta;
        if (facts.state !== 'answering') this.enter('answering');
        break;
      case 'finish':
        facts.told = { ...frame.messageMetadata, seconds: this.age() };
        facts.note = FINISHED[frame.finishReason] ?? (facts.answer ? '' : 'The model gave no answer.');
        this.enter('done');
        break;
      case 'abort':
        facts.note = 'Stopped.';
        this.enter('stopped');
        break;
      case 'error':
        facts.note = frame.errorText;
        // What came from upstream is a frame of the answer; what the server itself says is not.
        if (frame.number) facts.note += ' The terminal of aimlchat serve says more.';
        this.enter('failed');
    }
    if (this.isOver) this.paint();
    else this.paintSoon();
  }

  enter(state) {
    if (this.facts.state === 'thinking') this.facts.thought ??= this.age();
    this.facts.state = state;
    // The fold opens and closes by itself once each; else it is its reader's.
    if (state === 'thinking') this.find('.reasoning').open = true;
    if (state === 'answering') this.find('.reasoning').open = false;
  }

  age() {
    return (Date.now() - this.facts.began) / 1000;
  }

  paint() {
    const { facts } = this;
    this.node.dataset.state = facts.state;
    this.find('.waiting').hidden = facts.state !== 'waiting';
    this.paintReasoning();
    this.answer.show(facts.answer);
    this.find('.problem').hidden = facts.state !== 'failed';
    this.find('.problem p').textContent = facts.note;
    const about = this.summary();
    this.find('footer').hidden = !this.isOver || !(about || facts.answer);
    this.find('.facts').textContent = about;
    this.find('.copy').hidden = !facts.answer;
    this.painted();
  }

  paintReasoning() {
    const { facts } = this;
    const fold = this.find('.reasoning');
    fold.hidden = !facts.reasoning;
    this.paintClock();
    const prose = this.reasoning.home;
    const isAtEnd = prose.scrollHeight - prose.scrollTop - prose.clientHeight < 30;
    this.reasoning.show(facts.reasoning);
    if (facts.state === 'thinking' && isAtEnd) prose.scrollTop = prose.scrollHeight;
  }

  paintClock() {
    const { state, thought } = this.facts;
    const seconds = Math.round(state === 'thinking' ? this.age() : thought ?? 0);
    this.find('summary').textContent =
      state === 'thinking' ? `Thinking, ${seconds} s` : seconds ? `Thought for ${seconds} s` : 'Thought';
  }

  summary() {
    const { state, note, told } = this.facts;
    const parts = state === 'failed' ? [] : [note];
    if (told) {
      parts.push(told.model, tokens(told.usage), told.cost && dollars(told.cost.usd));
      parts.push(`${told.seconds.toFixed(1)} s`);
    }
    return parts.filter(Boolean).join(' · ');
  }
}

function tokens(usage) {
  const counts = [
    [usage?.promptTokens, 'tokens in'],
    [usage?.completionTokens, 'out'],
    [usage?.reasoningTokens, 'of reasoning'],
  ];
  const known = counts.filter(([count]) => count != null);
  return known.map(([count, what]) => `${number.format(count)} ${what}`).join(', ');
}

function dollars(usd) {
  if (usd > 0 && usd < 0.000001) return 'less than $0.000001';
  return `$${usd.toFixed(6).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

// Returns a function that calls `paint` soon: once a frame at most, not at all while nobody looks,
// and for a quarter of the time at most, so that a long answer leaves the page alive.
function atLeisure(paint) {
  let isDue = false;
  let rest = 0;
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => requestAnimationFrame(() => {
      isDue = false;
      const began = performance.now();
      paint();
      rest = 3 * (performance.now() - began);
    }), rest);
  };
}
