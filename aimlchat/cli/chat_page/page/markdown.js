'use strict';
// Makes elements from the tokens of Markdown. Nothing in the text of a model can run: the renderer
// shows HTML as text, the sanitizer keeps only the elements of plain prose, and the content
// security policy runs no script but those of the page.

// Tags without attributes that models use in Markdown, and that cannot do harm.
const HARMLESS_TAG = /^<\/?(?:b|br|code|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;
const SANITIZER_OPTIONS = {
  ALLOWED_TAGS: `a b blockquote br code del em h3 h4 h5 h6 hr i kbd li mark ol p pre s span strong
    sub sup table tbody td th thead tr u ul`.split(/\s+/),
  ALLOWED_ATTR: ['align', 'class', 'href', 'start', 'title'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ['align', 'start'], // otherwise their values would have to be URLs, too
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
// The headings of the page have the levels 1 and 2.
const FIRST_HEADING_LEVEL = 3;

const escapeHtml = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);

let headingLevel = FIRST_HEADING_LEVEL; // of the headings in the block that is rendered

const markdown = new marked.Marked({
  extensions: MATH_EXTENSIONS,
  hooks: { emStrongMask: maskFormulas },
  renderer: {
    html: ({ text, block }) => {
      if (HARMLESS_TAG.test(text.trim())) return text;
      if (!block) return escapeHtml(text);
      return `<p>${escapeHtml(text.trim()).replaceAll('\n', '<br>')}</p>`;
    },
    heading({ tokens, depth }) {
      const name = `h${Math.min(6, headingLevel)}`;
      return `<${name} class="depth-${depth}">${this.parser.parseInline(tokens)}</${name}>`;
    },
    // A link, because loading an image would tell its server that the answer was read.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  tokenizer: {
    // marked calls these two first at each position: the only points where it can be interrupted.
    space() {
      this.lexer.checkTime();
      return false;
    },
    escape() {
      this.lexer.checkTime();
      return false;
    },
    // Behind an open script, pre, code or kbd element, marked takes all text for HTML that is
    // escaped already. Returning false leaves the rest to marked.
    inlineText() {
      this.lexer.state.inRawBlock = false;
      return false;
    },
  },
});

DOMPurify.addHook('afterSanitizeAttributes', node => {
  if (node.nodeName === 'A' && node.hasAttribute('href')) {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
});

// Returns the elements of some tokens; `level` is that of their headings.
function renderTokens(tokens, level) {
  headingLevel = level;
  const fragment = DOMPurify.sanitize(markdown.parser(tokens), SANITIZER_OPTIONS);
  for (const element of fragment.querySelectorAll('.math')) renderFormula(element);
  for (const table of fragment.querySelectorAll('table')) {
    wrapInScroller(table, 'Table').className = 'table';
  }
  for (const pre of fragment.querySelectorAll('pre')) {
    const language = /language-(\S+)/.exec(pre.firstElementChild?.className)?.[1] ?? '';
    pre.replaceWith(createCodeFrame(highlight(pre.textContent, language), language));
  }
  setDirections(fragment);
  return fragment;
}

// Each block has the direction of its own text. `dir=auto` ignores the text of blocks inside, so
// blocks that contain blocks have the direction of their first letter.
function setDirections(root) {
  for (const block of root.querySelectorAll('p, h3, h4, h5, h6, li, td, th')) block.dir = 'auto';
  root.querySelectorAll('ul, ol, blockquote, table, li:has(> p)').forEach(setBlockDirection);
  for (const code of root.querySelectorAll('code, pre, .code')) code.dir = 'ltr';
}

function setBlockDirection(block) {
  const direction = findDirection(block.textContent);
  if (block.dir === direction) return;
  block.dir = direction;
  if (block.nodeName === 'TABLE') block.parentElement.dir = direction; // the side that it is on
}

// Wraps an element that may scroll sideways in a group that the keyboard can reach.
function wrapInScroller(element, label) {
  const scroller = document.createElement('div');
  Object.assign(scroller, { tabIndex: 0, role: 'group', ariaLabel: label });
  element.replaceWith(scroller);
  scroller.append(element);
  return scroller;
}

// Returns code with a bar above that has the language and a copy button.
function createCodeFrame(content, language) {
  const frame = document.createElement('div');
  const bar = document.createElement('div');
  const name = document.createElement('span');
  const button = document.createElement('button');
  const pre = document.createElement('pre');
  const code = document.createElement('code');
  frame.className = 'code';
  frame.dir = 'ltr';
  bar.className = 'code-bar';
  name.textContent = language;
  Object.assign(button, { type: 'button', className: 'secondary copy-code', textContent: 'Copy' });
  button.ariaLabel = 'Copy code';
  code.append(content);
  pre.append(code);
  bar.append(name, button);
  frame.append(bar, pre);
  wrapInScroller(pre, `Code ${language}`.trim());
  return frame;
}
