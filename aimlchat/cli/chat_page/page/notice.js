'use strict';
// A quiet sentence above the composer, perhaps with a button, that the user can dismiss.

class Notice {
  constructor(element) {
    this.element = element;
    element.append(document.getElementById('notice').content.cloneNode(true));
    this.button = element.querySelector('.action');
    element.querySelector('.dismiss').addEventListener('click', () => this.onDismiss());
    this.button.addEventListener('click', () => this.onAction());
  }

  // Shows a sentence. `onAction` is what the button does, null for no button; `onDismiss` is called
  // when the user closes the notice.
  show(sentence, { label = '', onAction = null, onDismiss = () => {} } = {}) {
    this.element.querySelector('p').textContent = sentence;
    this.button.textContent = label;
    this.button.hidden = !onAction;
    this.onAction = onAction;
    this.onDismiss = () => {
      this.hide();
      onDismiss();
    };
    this.element.hidden = false;
  }

  hide() {
    this.element.hidden = true;
  }
}
