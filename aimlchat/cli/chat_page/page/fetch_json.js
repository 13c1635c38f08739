'use strict';
// Requests to the page's own server. All times are in milliseconds.

const FETCH_TIMEOUT = 60000;
const FIRST_RETRY_DELAY = 1000;
const MAX_RETRY_DELAY = 16000;

// Returns the JSON of a response, or an object whose `error` is a sentence about what failed. Never
// rejects.
async function fetchJson(path, options = {}) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(FETCH_TIMEOUT), ...options });
    if (response.ok) return await response.json();
    return { error: `The server of this page responded with status ${response.status}.` };
  } catch (error) {
    if (error instanceof SyntaxError) {
      return { error: 'The server of this page sent a response that cannot be read.' };
    }
    const isLate = error.name === 'TimeoutError';
    return { error: `The server of this page ${isLate ? 'did not respond in time' : 'cannot be reached'}.` };
  }
}

// Repeats a load until it is good, with growing pauses. It gives up after the longest of them, until
// it is started again.
class RepeatedLoad {
  // `load` is an asynchronous function that returns whether the load was good; it never rejects.
  constructor(load) {
    this.load = load;
    this.isGood = false;
    this.isBusy = false;
  }

  // Loads at once, unless a load is in progress, or was good.
  start() {
    this.delay = FIRST_RETRY_DELAY;
    return this.attempt();
  }

  async attempt() {
    if (this.isGood || this.isBusy) return;
    clearTimeout(this.timer);
    this.isBusy = true;
    this.isGood = await this.load();
    this.isBusy = false;
    if (this.isGood || this.delay > MAX_RETRY_DELAY) return;
    this.timer = setTimeout(() => this.attempt(), this.delay);
    this.delay *= 2;
  }
}
