'use strict';
// Divides the time among the views that render text: a task of the page gets a short while, and what
// remains is done in the next animation frames, so that no answer blocks the page, however long.

const RENDERING_TIME = 40; // of a task or a frame, in ms

const renderingQueue = {
  views: new Set(), // that do not show all of their text yet, in the order in which they began
  track: change => change(), // is called with each function that changes views, and calls it
  deadline: 0,
  isTaskNew: true,
  isScheduled: false,

  // Lets a view render as long as there is time left in this task.
  run(view) {
    if (this.isTaskNew) {
      this.isTaskNew = false;
      this.deadline = performance.now() + RENDERING_TIME;
      setTimeout(() => { this.isTaskNew = true; });
    }
    this.views.add(view);
    if (performance.now() < this.deadline && view.work(this.deadline)) this.views.delete(view);
    this.schedule();
  },

  finish(view) {
    view.work(Infinity);
    this.views.delete(view);
  },

  finishAll() {
    this.track(() => this.workUntil(Infinity));
  },

  schedule() {
    if (this.isScheduled || !this.views.size) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.track(() => this.workUntil(performance.now() + RENDERING_TIME));
      this.schedule();
    });
  },

  workUntil(deadline) {
    for (const view of this.views) {
      let isWhole = !view.element.isConnected; // its turn is gone
      if (!isWhole) view.track(() => { isWhole = view.work(deadline); });
      if (isWhole) this.views.delete(view);
      if (performance.now() >= deadline) return;
    }
  },
};

addEventListener('beforeprint', () => renderingQueue.finishAll());
