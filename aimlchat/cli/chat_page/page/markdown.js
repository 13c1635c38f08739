'use strict';
// Renders Markdown as elements. Nothing in the text of a model can run: the renderer shows HTML as
// text, the sanitizer keeps only the elements of plain prose, and the content security policy runs
// no script but those of the page.

// Tags without attributes that models use in Markdown, and that cannot do harm.
const HARMLESS_TAG = /^<\/?(?:b|br|code|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;
const SANITIZER_OPTIONS = {
  ALLOWED_TAGS: `a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s strong
    sub sup table tbody td th thead tr u ul`.split(/\s+/),
  ALLOWED_ATTR: ['align', 'class', 'href', 'start', 'title'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ['align', 'start'], // otherwise their values would have to be URLs, too
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escapeHtml = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);

const markdown = new marked.Marked({
  renderer: {
    html: ({ text, block }) => {
      if (HARMLESS_TAG.test(text.trim())) return text;
      if (!block) return escapeHtml(text);
      return `<p>${escapeHtml(text.trim()).replaceAll('\n', '<br>')}</p>`;
    },
    // A link, because loading an image would tell its server that the answer was read.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  tokenizer: {
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

// Shows a growing Markdown text in an element. Only blocks that have changed are rendered again,
// so that finished paragraphs keep their selection and their scroll position.
class MarkdownView {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  clear() {
    this.blocks = [];
    this.links = '';
    this.element.replaceChildren();
  }

  show(text) {
    const tokens = markdown.lexer(text);
    const links = JSON.stringify(tokens.links);
    // A link definition at the end of a text changes the blocks before it.
    if (links !== this.links) this.clear();
    this.links = links;
    const blocks = tokens.filter(token => token.type !== 'space' && token.type !== 'def');
    let kept = 0;
    while (kept < blocks.length && blocks[kept].raw === this.blocks[kept]) kept += 1;
    while (this.element.children.length > kept) this.element.lastChild.remove();
    for (const block of blocks.slice(kept)) this.element.append(this.renderBlock(block));
    this.blocks = blocks.map(block => block.raw);
  }

  renderBlock(token) {
    const block = document.createElement('div');
    block.append(DOMPurify.sanitize(markdown.parser([token]), SANITIZER_OPTIONS));
    for (const table of block.querySelectorAll('table')) {
      wrapInScroller(table, 'Table').className = 'table';
    }
    for (const pre of block.querySelectorAll('pre')) addCodeBar(pre);
    return block;
  }
}

// Wraps an element that may scroll sideways in a group that the keyboard can reach.
function wrapInScroller(element, label) {
  const scroller = document.createElement('div');
  Object.assign(scroller, { tabIndex: 0, role: 'group', ariaLabel: label });
  element.replaceWith(scroller);
  scroller.append(element);
  return scroller;
}

// Adds a bar with the language and a copy button above a code block.
function addCodeBar(pre) {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className)?.[1] ?? '';
  const code = pre.textContent;
  const bar = document.createElement('div');
  bar.className = 'code-bar';
  bar.append(document.createElement('span'), createCopyButton(code));
  bar.firstChild.textContent = language;
  const frame = document.createElement('div');
  frame.className = 'code';
  pre.replaceWith(frame);
  frame.append(bar, pre);
  wrapInScroller(pre, `Code ${language}`.trim());
}

function createCopyButton(code) {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'secondary', textContent: 'Copy' });
  button.ariaLabel = 'Copy code';
  button.addEventListener('click', () => copyText(code, button));
  return button;
}

// Copies a text, and shows in the button whether the browser allowed that.
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}
