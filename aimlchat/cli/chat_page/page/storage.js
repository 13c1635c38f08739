'use strict';
// The storage of the browser, which may be denied or full, and what the page keeps in it.

const CONVERSATION_KEY = 'aimlchat.conversation'; // in the session storage of this tab
const CHOICES_KEY = 'aimlchat.choices'; // in the local storage that all tabs share
const UNREADABLE_KEY = 'aimlchat.unreadable'; // what was stored there and is not JSON

const STORAGE_PROBLEMS = {
  denied: 'This browser lets the page store nothing: a reload will lose the conversation.',
  full: 'The conversation is too large for the storage of this browser: a reload will lose what'
    + ' came last.',
  unreadable: 'The stored conversation cannot be read. It was set aside, and this one is new.',
};

const areFiles = files => Array.isArray(files)
  && files.every(file => typeof file?.id === 'string' && typeof file.name === 'string');

// `onProblem` is called with a key of STORAGE_PROBLEMS, and with '' once storing works again.
class PageStorage {
  constructor(onProblem) {
    this.onProblem = onProblem;
    this.problem = '';
  }

  // Returns the text under a key, or null. `area` is sessionStorage or localStorage, by its name,
  // because reading the property itself may be denied.
  read(area, key) {
    try {
      return window[area].getItem(key);
    } catch {
      this.report('denied');
      return null;
    }
  }

  write(area, key, text) {
    try {
      window[area].setItem(key, text);
    } catch (error) {
      this.report(this.isFull(area, error) ? 'full' : 'denied');
      return false;
    }
    if (this.problem === 'full') this.report('');
    return true;
  }

  // Browsers that store nothing in a private window have a storage without any room.
  isFull(area, error) {
    return error.name === 'QuotaExceededError' && window[area].length > 0;
  }

  report(problem) {
    if (problem === this.problem) return;
    this.problem = problem;
    this.onProblem(problem);
  }

  loadChoices() {
    try {
      const choices = JSON.parse(this.read('localStorage', CHOICES_KEY)) ?? {};
      const isChoice = ([name, value]) => typeof value === (name === 'settings' ? 'object' : 'string');
      return Object.fromEntries(Object.entries(choices).filter(isChoice));
    } catch {
      return {}; // the next choice replaces what cannot be read
    }
  }

  saveChoices(choices) {
    this.write('localStorage', CHOICES_KEY, JSON.stringify(choices));
  }

  // Returns what saveConversation was given. What cannot be read is not overwritten but set aside.
  loadConversation() {
    const text = this.read('sessionStorage', CONVERSATION_KEY);
    try {
      const { draft, files, turns, undo, top } = JSON.parse(text) ?? {};
      if (turns && !Array.isArray(turns)) throw new TypeError('The turns are no list.');
      return {
        draft: String(draft ?? ''),
        files: areFiles(files) ? files : [],
        turns: turns ?? [],
        undo: Array.isArray(undo?.turns) ? undo : null,
        top: typeof top === 'number' ? top : null,
      };
    } catch {
      if (this.write('sessionStorage', UNREADABLE_KEY, text)) this.report('unreadable');
      return { draft: '', files: [], turns: [], undo: null, top: null };
    }
  }

  saveConversation(conversation) {
    const save = what => this.write('sessionStorage', CONVERSATION_KEY, JSON.stringify(what));
    if (!save(conversation) && conversation.undo) save({ ...conversation, undo: null });
  }
}
