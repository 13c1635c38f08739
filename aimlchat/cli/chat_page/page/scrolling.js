'use strict';
// Following the end of what grows: the page with its answer, and the box of the reasoning.

const SCROLL_UP_KEYS = ['ArrowUp', 'PageUp', 'Home'];
const TAP_JITTER = 10; // how far a finger may move, in px, without meaning to scroll
const SMOOTH_SCROLL = 400; // how long a browser scrolls smoothly, at most, in ms
const LINE_HEIGHT = 16; // of a wheel that counts in lines, in px

// Keeps a scrolling element at its end while its content grows, until the user scrolls up by
// whatever means. Following begins again when the user reaches the end.
class EndFollower {
  // `onChange` is called after each change of the content, and when following begins or ends.
  constructor(element, onChange = () => {}) {
    this.element = element;
    this.onChange = onChange;
    this.isPage = element === document.scrollingElement;
    this.isFollowing = true;
    this.reachesUntil = 0;
    this.restoredTop = null; // where to go once the content is long enough
    this.remember();
    const target = this.isPage ? window : element;
    const listen = (type, handler) => target.addEventListener(type, handler, { passive: true });
    listen('scroll', () => this.noticeScroll());
    listen('wheel', event => this.onWheel(event));
    listen('touchstart', event => this.onTouchStart(event));
    listen('touchmove', event => this.onTouchMove(event));
    target.addEventListener('keydown', event => this.onKey(event));
    if (!this.isPage) return;
    // While the page is zoomed with two fingers, it scrolls inside of what is laid out.
    visualViewport.addEventListener('scroll', () => this.noticeScroll());
    addEventListener('resize', () => this.onResize());
  }

  measure() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const top = this.isPage ? scrollTop + visualViewport.offsetTop : scrollTop;
    const height = this.isPage ? visualViewport.height : clientHeight;
    return { top, distance: scrollHeight - top - height, scale: visualViewport.scale };
  }

  remember() {
    const { top, scale } = this.measure();
    this.top = top;
    this.scale = scale;
  }

  // Compares the position with the last one. A browser also moves up by itself, to the end of a
  // content that has become shorter, but then the distance to the end is 0 but for rounding.
  noticeScroll() {
    const { top, distance, scale } = this.measure();
    const hasZoomed = scale !== this.scale;
    const last = this.top;
    this.remember();
    if (top !== last) this.restoredTop = null;
    if (hasZoomed) return;
    const isReaching = performance.now() < this.reachesUntil;
    if (top < last && distance >= 1 && !isReaching) this.setFollowing(false);
    else if (top > last && distance < 2) this.setFollowing(true);
  }

  // Applies a change of the content, and keeps the end or the position in view.
  track(change) {
    this.noticeScroll(); // the event of a scroll may be still to come
    const { scrollTop } = this.element;
    change();
    const restored = this.restoredTop;
    if (restored !== null) {
      this.element.scrollTop = restored;
      if (this.element.scrollTop >= restored - 1) this.restoredTop = null;
    }
    // Setting the position ends a smooth scroll of the user, so it is not set to what it is.
    if (this.isFollowing) this.element.scrollTop = this.element.scrollHeight;
    else if (restored === null && this.element.scrollTop !== scrollTop) this.element.scrollTop = scrollTop;
    this.remember();
    this.onChange();
  }

  // What grows beside the content moves the end: the box of a question, the keyboard of a phone. So
  // does a phone that is turned.
  onResize() {
    if (this.isFollowing) this.element.scrollTop = this.element.scrollHeight;
    this.remember();
  }

  // Follows again, because the user is about to reach the end. A smooth scroll that the browser has
  // begun may still go back to where the end was.
  reach() {
    this.reachesUntil = performance.now() + SMOOTH_SCROLL;
    this.start();
  }

  start() {
    this.isFollowing = true;
    this.restoredTop = null;
    this.remember(); // what has moved it until now does not count
    this.track(() => {});
  }

  // Goes to where the user was before a reload. A long content is rendered little by little.
  restore(top) {
    this.isFollowing = false;
    this.restoredTop = top;
    this.remember();
    this.track(() => {});
  }

  setFollowing(isFollowing) {
    if (this.isFollowing === isFollowing) return;
    this.isFollowing = isFollowing;
    this.onChange();
  }

  // --- scrolling that has not moved anything yet: the next change of the content would undo it ----

  leave(event) {
    if (this.element.scrollTop > 0 && !this.findInnerScroller(event.target, -1)) {
      this.reachesUntil = 0;
      this.setFollowing(false);
    }
  }

  onWheel(event) {
    if (event.ctrlKey) return; // zooms
    if (event.deltaY < 0) this.leave(event);
    if (event.deltaY <= 0 || this.isFollowing) return;
    const unit = [1, LINE_HEIGHT, this.element.clientHeight][event.deltaMode];
    // The end may move on while the browser scrolls smoothly to where it is now.
    const isEnough = this.measure().distance <= event.deltaY * unit;
    if (isEnough && !this.findInnerScroller(event.target, 1)) this.reach();
  }

  onTouchStart({ touches }) {
    this.touchTop = touches.length === 1 ? touches[0].clientY : -Infinity;
  }

  onTouchMove(event) {
    const { clientY } = event.touches[0];
    if (event.touches.length > 1) return; // zooms
    this.touchTop = Math.min(this.touchTop, clientY);
    if (clientY > this.touchTop + TAP_JITTER) this.leave(event);
  }

  onKey(event) {
    const { key, shiftKey, altKey, target } = event;
    if (event.defaultPrevented || altKey) return;
    if (target.matches?.('input, textarea, select')) {
      if (key === 'PageUp' && !target.value) this.leave(event); // an empty field lets it through
      return;
    }
    const isSpace = key === ' ' && !target.matches?.('button, summary, a');
    if (SCROLL_UP_KEYS.includes(key) || (isSpace && shiftKey)) this.leave(event);
    else if (key === 'End' && !this.findInnerScroller(target, 1)) this.reach();
  }

  // Returns the element inside of this one that scrolls instead of it: up for -1, down for 1.
  findInnerScroller(node, direction) {
    for (; node instanceof Element && node !== this.element; node = node.parentElement) {
      const { scrollTop, scrollHeight, clientHeight } = node;
      const room = direction < 0 ? scrollTop : scrollHeight - clientHeight - scrollTop;
      if (room >= 1 && /auto|scroll/.test(getComputedStyle(node).overflowY)) return node;
    }
    return null;
  }
}
