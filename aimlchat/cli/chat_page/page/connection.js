'use strict';
// The web socket to the server, reopened whenever it is lost. All times are in milliseconds.

const FIRST_DELAY = 250;
const MAX_DELAY = 5000;
// While an answer streams, the server sends a frame or a heartbeat at least every ten seconds.
const SILENCE_LIMIT = 25000;

class ServerConnection {
  // `onOpen` is called whenever the connection opens, `onFrame` with each frame, and `onLoss`
  // whenever the connection is lost. While `isFrameExpected()` is true, silence counts as a loss.
  constructor(path, { onOpen, onFrame, onLoss, isFrameExpected }) {
    this.url = new URL(path, location.href.replace(/^http/, 'ws'));
    this.handlers = { onOpen, onFrame, onLoss, isFrameExpected };
    this.delay = FIRST_DELAY;
    window.addEventListener('online', () => this.reconnectNow());
    document.addEventListener('visibilitychange', () => document.hidden || this.reconnectNow());
    this.open();
  }

  open() {
    clearTimeout(this.reconnectTimer);
    this.reconnectTimer = null;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.delay = FIRST_DELAY;
      this.handlers.onOpen();
      this.restartSilenceTimer();
    };
    socket.onmessage = event => {
      this.restartSilenceTimer();
      this.handlers.onFrame(JSON.parse(event.data));
    };
    socket.onclose = () => this.reconnectLater();
  }

  // Does nothing while the connection is lost; when it opens, `onOpen` sends what the server needs.
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(message));
    this.restartSilenceTimer();
  }

  restartSilenceTimer() {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      if (this.handlers.isFrameExpected()) this.reconnectLater();
    }, SILENCE_LIMIT);
  }

  reconnectLater() {
    this.abandonSocket();
    this.handlers.onLoss();
    const jitter = 0.75 + Math.random() / 2;
    this.reconnectTimer = setTimeout(() => this.open(), this.delay * jitter);
    this.delay = Math.min(this.delay * 2, MAX_DELAY);
  }

  // Called when the page becomes visible or the network returns: the user is waiting.
  reconnectNow() {
    if (this.reconnectTimer) this.open();
  }

  // Closes the connection deliberately, upon which the server ends the answer, and opens another.
  reopen() {
    this.abandonSocket(1000);
    this.open();
  }

  // Closes the connection deliberately; `open` opens another.
  suspend() {
    clearTimeout(this.reconnectTimer);
    this.reconnectTimer = null;
    this.abandonSocket(1000);
  }

  // A dead connection takes long to close, and its late events must not be handled.
  abandonSocket(code) {
    clearTimeout(this.silenceTimer);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(code);
  }
}
