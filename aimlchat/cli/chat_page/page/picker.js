'use strict';
// An editable combobox with a list of options, by the pattern of the ARIA Authoring Practices: the
// focus stays in the text field, and `aria-activedescendant` names the option that Enter picks.

const PAGE_OF_OPTIONS = 10;

class Combobox {
  // `field` is the text field, `toggle` the button beside it, `popup` what opens, and `list` the
  // listbox in it. `onPick` is called after the user has picked a value, `onFilter` with the number
  // of options that match what was typed.
  constructor({ field, toggle, popup, list, onPick, onFilter }) {
    Object.assign(this, { field, toggle, popup, list, onPick, onFilter });
    this.options = [];
    this.shown = [];
    this.picked = '';
    field.addEventListener('input', () => this.filter());
    field.addEventListener('mousedown', event => {
      if (this.isOpen || event.button) return;
      event.preventDefault(); // would put the caret where the pointer is, after all text is selected
      field.focus();
      this.open();
    });
    field.addEventListener('click', () => this.isOpen || this.open()); // by a screen reader
    field.addEventListener('focus', () => field.select());
    field.addEventListener('blur', () => this.leave());
    field.addEventListener('keydown', event => this.handleKey(event));
    // The focus stays in the field while the pointer is used.
    for (const part of [toggle, popup]) {
      part.addEventListener('mousedown', event => event.preventDefault());
    }
    toggle.addEventListener('click', () => {
      if (this.isOpen) return this.close();
      field.focus();
      this.open();
    });
    list.addEventListener('click', event => {
      const element = event.target.closest('[role="option"]');
      if (!element) return;
      this.pick(element.dataset.value);
      if (matchMedia('(pointer: coarse)').matches) field.blur(); // hides the keyboard of a phone
    });
  }

  get isOpen() {
    return !this.popup.hidden;
  }

  get value() {
    return this.picked;
  }

  set value(value) {
    this.picked = value;
    this.field.value = value;
    this.field.title = value;
  }

  // Each option has a `value`, a `label`, a text of `facts`, and other `names` to be found by.
  setOptions(options) {
    this.options = options.map(({ value, label, facts, names }, index) => ({
      value,
      names: [value, ...names].map(name => name.toLowerCase()),
      element: this.createOption(`${this.list.id}-${index}`, value, label, facts),
    }));
    if (this.isOpen) this.show(this.options);
  }

  createOption(id, value, label, facts) {
    const element = document.createElement('li');
    element.id = id;
    element.dataset.value = value;
    element.setAttribute('role', 'option');
    const texts = [label, facts].filter(Boolean).map((text, index) => {
      const span = document.createElement('span');
      span.className = index ? 'facts' : 'label';
      span.textContent = text;
      return span;
    });
    element.append(texts[0], ...texts.slice(1).flatMap(span => [' ', span]));
    return element;
  }

  open() {
    this.popup.hidden = false;
    this.setExpanded(true);
    this.show(this.options);
    this.activate(this.shown.findIndex(option => option.value === this.picked));
    this.field.select();
  }

  close() {
    this.popup.hidden = true;
    this.setExpanded(false);
    this.activate(-1);
    this.field.value = this.picked;
  }

  setExpanded(isExpanded) {
    for (const part of [this.field, this.toggle]) part.ariaExpanded = String(isExpanded);
  }

  // A name that was typed in full counts as picked, also if the focus just goes elsewhere.
  leave() {
    if (!this.isOpen) return;
    const typed = this.field.value.trim().toLowerCase();
    const named = typed && this.options.find(option => option.names.includes(typed));
    if (named && named.value !== this.picked) this.pick(named.value);
    else this.close();
  }

  // Shows the options that have all words that were typed: first the one that was named in full,
  // then those that begin with them.
  filter() {
    const typed = this.field.value.trim();
    const words = typed.toLowerCase().split(/\s+/);
    const matching = this.options.filter(({ names }) =>
      words.every(word => names.some(name => name.includes(word))));
    const findDistance = ({ value, names }) => {
      if (names.includes(words.join(' '))) return 0;
      const starts = [value, ...value.split('/')].map(part => part.toLowerCase());
      return starts.some(part => part.startsWith(words[0])) ? 1 : 2;
    };
    const sorted = matching.toSorted((one, other) => findDistance(one) - findDistance(other));
    this.popup.hidden = false;
    this.setExpanded(true);
    this.onFilter(sorted.length);
    // A list is never complete: an account may have models of its own.
    if (!sorted.length) sorted.push(this.createUnlisted(typed));
    this.show(sorted);
    this.list.scrollTop = 0;
    this.activate(typed ? 0 : -1);
  }

  createUnlisted(typed) {
    const id = `${this.list.id}-unlisted`;
    return { value: typed, element: this.createOption(id, typed, `Use “${typed}”`, 'not in the list') };
  }

  show(options) {
    this.shown = options;
    this.list.replaceChildren(...options.map(option => option.element));
    for (const { value, element } of options) {
      element.ariaCurrent = value === this.picked ? 'true' : null;
      element.ariaSelected = 'false';
    }
    const space = this.popup.offsetParent.getBoundingClientRect().top;
    this.popup.style.maxHeight = `${Math.max(space - 12, 120)}px`;
  }

  activate(index) {
    const before = this.shown[this.active]?.element;
    if (before) before.ariaSelected = 'false';
    this.active = index;
    const element = this.shown[index]?.element;
    if (!element) return this.field.removeAttribute('aria-activedescendant');
    element.ariaSelected = 'true';
    this.field.setAttribute('aria-activedescendant', element.id);
    element.scrollIntoView({ block: 'nearest' });
  }

  move(step) {
    const last = this.shown.length - 1;
    if (this.active < 0) return this.activate(step > 0 ? 0 : last);
    const isAtEnd = this.active === (step > 0 ? last : 0);
    const wrapped = step > 0 ? 0 : last;
    const next = Math.min(Math.max(this.active + step, 0), last);
    this.activate(isAtEnd && Math.abs(step) === 1 ? wrapped : next);
  }

  pick(value) {
    this.value = value;
    this.close();
    this.onPick(value);
  }

  handleKey(event) {
    if (isComposing(event)) return;
    const steps = {
      ArrowDown: 1, ArrowUp: -1, PageDown: PAGE_OF_OPTIONS, PageUp: -PAGE_OF_OPTIONS,
    };
    if (event.key in steps) {
      event.preventDefault();
      if (event.altKey && event.key === 'ArrowUp') this.close();
      else if (this.isOpen) this.move(steps[event.key]);
      else this.open();
    } else if (event.key === 'Enter') {
      event.preventDefault(); // would send the message
      const option = this.isOpen && this.shown[this.active];
      if (option) this.pick(option.value);
      else if (!this.isOpen) this.open();
    } else if (event.key === 'Escape' && this.isOpen) {
      event.stopPropagation(); // would stop the answer
      this.close();
      this.field.select();
    }
  }
}
