'use strict';
// Colors code. The highlighter makes elements from text, no HTML.

// Longer code stays plain, as does code that takes longer, in ms.
const MAX_HIGHLIGHTED_LENGTH = 50000;
const HIGHLIGHTING_LIMIT = 100;

let highlightingDeadline = 0;

// Builds what hljs finds, see "minimal interface" in its sources.
class ElementEmitter {
  constructor() {
    this.root = document.createDocumentFragment();
    this.parents = [this.root];
  }

  addText(text) {
    if (performance.now() > highlightingDeadline) throw new Error('highlighting takes too long');
    if (!text) return;
    const { lastChild } = this.parents.at(-1);
    if (lastChild?.nodeType === Node.TEXT_NODE) lastChild.appendData(text);
    else this.parents.at(-1).append(text);
  }

  openNode(scope) {
    const span = document.createElement('span');
    // A scope such as title.function is colored by its first part.
    if (typeof scope === 'string') span.className = `hljs-${scope.split('.', 1)[0]}`;
    this.parents.at(-1).append(span);
    this.parents.push(span);
  }

  closeNode() {
    this.parents.pop();
  }

  startScope(scope) {
    this.openNode(scope);
  }

  endScope() {
    this.closeNode();
  }

  __addSublanguage(emitter) {
    this.parents.at(-1).append(emitter.root);
  }

  finalize() {}

  toHTML() {
    return '';
  }
}

hljs.configure({ __emitter: ElementEmitter });

// Returns the code with its colors; plain if its language is unknown.
function highlight(code, language) {
  const plain = document.createDocumentFragment();
  plain.append(code);
  if (!hljs.getLanguage(language) || code.length > MAX_HIGHLIGHTED_LENGTH) return plain;
  highlightingDeadline = performance.now() + HIGHLIGHTING_LIMIT;
  const result = hljs.highlight(code, { language, ignoreIllegals: true });
  const { root } = result._emitter;
  return result.errorRaised || root.textContent !== code ? plain : root;
}
