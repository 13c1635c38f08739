'use strict';
// The storage of the browser, which may be denied or full, and what the page keeps in it.

const CONVERSATION_KEY = 'aimlchat.conversation'; // in the session storage of this tab
const CHOICES_KEY = 'aimlchat.choices'; // in the local storage that all tabs share
const UNREADABLE_KEY = 'aimlchat.unreadable'; // what was stored there and is not JSON

const MAX_KEPT_RESULT = 10_000; // of a call, in characters of JSON, if the storage is full
const RESULT_NOT_KEPT = 'This result was too large for the storage of the browser: a reload has lost it.';

const STORAGE_PROBLEMS = {
  denied: 'This browser lets the page store nothing: a reload will lose the conversation.',
  full: 'The conversation is too large for the storage of this browser: a reload will lose what'
    + ' came last.',
  results: 'The conversation is too large for the storage of this browser: a reload will lose the'
    + ' large results of tools.',
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

  // Returns what prevents it: a key of STORAGE_PROBLEMS, or ''.
  write(area, key, text) {
    try {
      window[area].setItem(key, text);
      return '';
    } catch (error) {
      return this.isFull(area, error) ? 'full' : 'denied';
    }
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
    const problem = this.write('localStorage', CHOICES_KEY, JSON.stringify(choices));
    if (problem) this.report(problem);
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
      this.report(this.write('sessionStorage', UNREADABLE_KEY, text) || 'unreadable');
      return { draft: '', files: [], turns: [], undo: null, top: null };
    }
  }

  // Of a conversation that is too large, what can be undone is left out, and then large results.
  saveConversation(conversation) {
    const save = (...json) => this.write('sessionStorage', CONVERSATION_KEY, JSON.stringify(...json));
    let problem = save(conversation);
    if (problem === 'full' && conversation.undo) problem = save({ ...conversation, undo: null });
    if (problem === 'full') problem = save({ ...conversation, undo: null }, cutResults) || 'results';
    if (problem || ['full', 'results'].includes(this.problem)) this.report(problem);
  }
}

function cutResults(key, value) {
  if (key !== 'calls' || !Array.isArray(value)) return value;
  return value.map(call => {
    const isLarge = JSON.stringify(call?.output ?? null).length > MAX_KEPT_RESULT;
    return isLarge ? { ...call, output: RESULT_NOT_KEPT } : call;
  });
}
