'use strict';
// The web socket, opened again and again whenever it is lost.

const FIRST_DELAY = 250;
const LONGEST_DELAY = 5000;
// While an answer runs the server says something at least every ten seconds.
const SILENCE = 25000;

class Line {
  // `opened` is called each time that the line stands, `heard` with each frame, `lost` with each
  // loss. While `isAwaited()` is true, silence counts as a loss.
  constructor(path, { opened, heard, lost, isAwaited }) {
    this.url = new URL(path, location.href.replace(/^http/, 'ws'));
    this.on = { opened, heard, lost, isAwaited };
    this.delay = FIRST_DELAY;
    window.addEventListener('online', () => this.hurry());
    document.addEventListener('visibilitychange', () => document.hidden || this.hurry());
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.delay = FIRST_DELAY;
      this.on.opened();
      this.watch();
    };
    socket.onmessage = event => {
      this.watch();
      this.on.heard(JSON.parse(event.data));
    };
    socket.onclose = () => this.retry();
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  say(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    this.watch();
    return true;
  }

  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.on.isAwaited() && this.retry(), SILENCE);
  }

  retry() {
    this.drop();
    this.on.lost();
    this.timer = setTimeout(() => this.open(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
  }

  // Says goodbye, which ends an answer at once, and opens a new line.
  renew() {
    this.drop(1000);
    this.open();
  }

  // A dead connection takes long to close, and nothing that it still says is to be heard.
  drop(code) {
    clearTimeout(this.silence);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(code);
  }

  // Whoever looks at the page, or has just got a network, does not want to wait.
  hurry() {
    if (this.timer) this.open();
  }
}
