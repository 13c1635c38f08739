'use strict';
// What a turn shows while nothing arrives: for how long it has waited, and whether the server wants it
// to wait. All times are in milliseconds, and seconds are shown.

// Text that arrives in larger pieces than this is not called a silence.
const SILENCE_SHOWN_AFTER = 10000;

class WaitingView {
  constructor(turnElement) {
    const find = selector => turnElement.querySelector(selector);
    this.element = find('.waiting');
    this.clock = find('.waiting-clock');
    this.retry = find('.waiting-retry');
    this.cause = find('.waiting-cause');
    this.silence = find('.silence');
    this.begin();
  }

  // Begins to wait: for the first answer, or for another one.
  begin() {
    this.notice = null;
    this.lastTextAt = Date.now();
  }

  // Applies a frame that says why the answer does not begin, or notes that something has arrived.
  apply(frame) {
    const now = Date.now();
    if (isWaitNotice(frame)) {
      this.notice = { ...frame.data, kind: frame.type, until: now + frame.data.seconds * 1000 };
    } else if (frame.type !== 'data-heartbeat') this.lastTextAt = now;
  }

  render({ state, startedAt }) {
    const isWaiting = state === 'waiting';
    this.element.hidden = !isWaiting;
    this.renderSilence(state);
    if (!isWaiting) return;
    this.clock.textContent = `Waiting for the model, ${formatSeconds(Date.now() - startedAt)}`;
    const { notice } = this;
    const sentence = notice ? describeNotice(notice) : '';
    const cause = notice?.error ? describeCause(notice.attempt - 1, notice.error) : '';
    setOptionalText(this.retry, sentence);
    setOptionalText(this.cause, cause);
  }

  renderSilence(state) {
    const duration = Date.now() - this.lastTextAt;
    const isSilent = ['thinking', 'answering'].includes(state) && duration >= SILENCE_SHOWN_AFTER;
    setOptionalText(this.silence, isSilent ? `Nothing new for ${formatSeconds(duration)}.` : '');
  }
}

function isWaitNotice({ type }) {
  return type === 'data-retry' || type === 'data-queue';
}

function describeNotice(notice) {
  const left = notice.until - Date.now();
  const again = `in ${formatSeconds(Math.max(left, 1000))}`;
  if (notice.kind === 'data-queue') {
    return left > 0 ? `The server asked to wait before more questions to this model: sending ${again}.` : '';
  }
  const attempt = `attempt ${notice.attempt} of ${notice.attempts}`;
  if (left <= 0) return `This is ${attempt}.`;
  const reason = notice.asked_to_wait
    ? `The server asked to wait ${formatSeconds(notice.asked_to_wait * 1000)}`
    : 'That failed';
  return `${reason}: trying again ${again}, ${attempt}.`;
}

function describeCause(attempt, { message, facts }) {
  const [fact] = facts; // the status, or what happened if no server said anything
  const hasStatus = fact?.startsWith('status');
  return hasStatus
    ? `Attempt ${attempt} failed (${fact}): ${message}`
    : `Attempt ${attempt} failed: ${fact ?? message}`;
}

function formatSeconds(milliseconds) {
  const seconds = Math.max(Math.round(milliseconds / 1000), 0);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function setOptionalText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}
