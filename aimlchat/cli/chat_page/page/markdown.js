'use strict';
// Markdown into elements. What a model says can run nothing, for three reasons: HTML in it is shown
// as text, the sanitizer lets only the elements of plain prose pass, and the page's policy runs no
// script but its own.

const HARMLESS = /^<\/?(?:b|br|code|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;
const SAFE = {
  ALLOWED_TAGS: `a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s strong
    sub sup table tbody td th thead tr u ul`.split(/\s+/),
  ALLOWED_ATTR: ['align', 'class', 'href', 'start', 'title'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ['align', 'start'], // else they would have to be addresses, too
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escaped = text => text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);

const markdown = new marked.Marked({
  renderer: {
    html: ({ text, block }) => {
      if (HARMLESS.test(text.trim())) return text;
      return block ? `<p>${escaped(text.trim()).replaceAll('\n', '<br>')}</p>` : escaped(text);
    },
    // A picture would be loaded from wherever the answer says, and tell that place of it.
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

DOMPurify.addHook('afterSanitizeAttributes', node => {
  if (node.nodeName === 'A' && node.hasAttribute('href')) {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
});

// Shows a text that grows. Only blocks that have changed are made anew, so that a paragraph that
// is finished stays selected, and where it is scrolled to.
class Prose {
  constructor(home) {
    this.home = home;
    this.clear();
  }

  clear() {
    this.blocks = [];
    this.links = '';
    this.home.replaceChildren();
  }

  show(text) {
    const tokens = markdown.lexer(text);
    const links = JSON.stringify(tokens.links);
    if (links !== this.links) this.clear(); // a definition at the end changes what came before it
    this.links = links;
    const blocks = tokens.filter(token => token.type !== 'space' && token.type !== 'def');
    let same = 0;
    while (same < blocks.length && blocks[same].raw === this.blocks[same]) same += 1;
    while (this.home.children.length > same) this.home.lastChild.remove();
    for (const block of blocks.slice(same)) this.home.append(this.made(block));
    this.blocks = blocks.map(block => block.raw);
  }

  made(token) {
    const block = document.createElement('div');
    block.append(DOMPurify.sanitize(markdown.parser([token]), SAFE));
    for (const table of block.querySelectorAll('table')) {
      const frame = framed(table, 'Table');
      frame.className = 'wide';
    }
    for (const pre of block.querySelectorAll('pre')) withCopy(pre);
    return block;
  }
}

// A thing that scrolls sideways has to be reached by keyboard.
function framed(node, label) {
  const frame = document.createElement('div');
  Object.assign(frame, { tabIndex: 0, role: 'group', ariaLabel: label });
  node.replaceWith(frame);
  frame.append(node);
  return frame;
}

function withCopy(pre) {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className)?.[1] ?? '';
  const code = pre.textContent;
  const bar = document.createElement('div');
  bar.className = 'bar';
  bar.append(document.createElement('span'), copyButton(() => code, 'Copy code'));
  bar.firstChild.textContent = language;
  const frame = document.createElement('div');
  frame.className = 'code';
  pre.replaceWith(frame);
  frame.append(bar, pre);
  framed(pre, `Code ${language}`.trim());
}

function copyButton(text, label) {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'quiet', textContent: 'Copy' });
  button.ariaLabel = label;
  button.addEventListener('click', () => copy(text(), button));
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}
