'use strict';
// Shows a growing Markdown text in an element. Only blocks that have changed are rendered again,
// and the last block, list item or table row is changed in place.

const HIGHLIGHTING_SHARE = 0.1; // of the time while a code block grows
const MAX_TOGETHER = 50; // paragraphs that are rendered together
const SLICE_LENGTH = 16384; // of the list items or table rows that are rendered together, in characters
// Blocks are in groups of so many: a browser visits each child of an element that has a new one.
const GROUP_LENGTH = 64;

class MarkdownView {
  // `track` is called with each function that changes the element, and calls it.
  constructor(element, track = change => change()) {
    this.element = element;
    this.track = track;
    this.clear();
  }

  clear() {
    this.splitter = new BlockSplitter();
    this.blocks = [];
    this.text = '';
    this.isGrowing = false;
    this.links = {};
    this.linksKey = '{}';
    // What is shown so far: the tokens before the cursor. For each of them and the one at the
    // cursor, how many blocks there are before it, and the depths of the headings above it.
    this.cursor = 0;
    this.positions = [{ count: 0, outline: [] }];
    this.element.replaceChildren();
  }

  // Shows a text, of which more may come if it is growing; the end of a long one a little later.
  // Never throws an error: what cannot be rendered is shown as plain text.
  show(text, isGrowing = false) {
    if (text === this.text && isGrowing === this.isGrowing) return;
    Object.assign(this, { text, isGrowing });
    this.rewind(this.splitter.setText(text, isGrowing));
    renderingQueue.run(this);
  }

  // Shows all of the text now.
  finish() {
    renderingQueue.finish(this);
  }

  rewind(cursor) {
    this.cursor = Math.min(this.cursor, cursor);
    this.positions.length = this.cursor + 1;
  }

  // Shows more of the text, until a time; returns whether all of it is shown.
  work(deadline) {
    const { splitter } = this;
    const { tokens } = splitter;
    const isOver = () => performance.now() >= deadline;
    while (!splitter.isDone) {
      splitter.advance();
      if (isOver()) return false;
    }
    this.updateLinks();
    this.growing = this.isGrowing ? tokens.findLastIndex(isShown) : -1;
    while (this.cursor < tokens.length) {
      this.showParagraphs() || this.showToken(deadline);
      if (isOver()) return false;
    }
    this.removeBlocks(this.positions[this.cursor].count);
    return true;
  }

  // A new definition of a link changes the blocks before it.
  updateLinks() {
    const links = this.splitter.collectLinks();
    const linksKey = JSON.stringify(links);
    if (linksKey === this.linksKey) return;
    Object.assign(this, { links, linksKey });
    this.rewind(0);
  }

  // Shows the token at the cursor. Of a long list or table, the rest may have to wait.
  showToken(deadline) {
    const token = this.splitter.tokens[this.cursor];
    let { count, outline } = this.positions[this.cursor];
    if (isShown(token)) {
      if (token.type === 'heading') outline = outline.filter(depth => depth < token.depth);
      const isGrowing = this.cursor === this.growing;
      const context = this.describeContext(outline, isGrowing);
      if (!this.showBlock(count, token, context, deadline)) return;
      if (token.type === 'heading') outline = [...outline, token.depth];
      count += 1;
    }
    this.moveOn({ count, outline });
  }

  moveOn(position) {
    this.cursor += 1;
    this.positions[this.cursor] = position;
  }

  describeContext(outline, isGrowing) {
    const { links, linksKey } = this;
    return { level: FIRST_HEADING_LEVEL + outline.length, links, linksKey, isGrowing };
  }

  // Returns whether all of the block is shown.
  showBlock(index, token, context, deadline) {
    let block = this.blocks[index];
    if (block?.isUpToDate(token, context)) return true;
    const Block = BLOCK_CLASSES[token.type] ?? ProseBlock;
    if (block?.constructor !== Block) {
      const previous = block?.element;
      block = this.blocks[index] = new Block();
      if (previous) previous.replaceWith(block.element);
      else this.findGroup(index).append(block.element);
    }
    block.update(token, context, deadline);
    return block.isWhole;
  }

  findGroup(index) {
    const group = this.element.children[Math.floor(index / GROUP_LENGTH)];
    if (group) return group;
    const added = document.createElement('div');
    added.className = 'blocks';
    this.element.append(added);
    return added;
  }

  removeBlocks(first) {
    for (const block of this.blocks.splice(first)) {
      const group = block.element.parentElement;
      block.element.remove();
      if (!group.firstChild) group.remove();
    }
  }

  // Shows the new paragraphs at the cursor together: one by one, most of the time would go to the
  // calls of the sanitizer. Returns whether there were some.
  showParagraphs() {
    const { count, outline } = this.positions[this.cursor];
    if (count < this.blocks.length) return false;
    const { tokens } = this.splitter;
    const paragraphs = [];
    let end = this.cursor;
    for (; end < tokens.length && paragraphs.length < MAX_TOGETHER; end += 1) {
      if (!isShown(tokens[end])) continue;
      if (end === this.growing || !isSimpleParagraph(tokens[end])) break;
      paragraphs.push(tokens[end]);
    }
    if (paragraphs.length < 2) return false;
    const context = this.describeContext(outline, false);
    const elements = renderParagraphs(paragraphs, context);
    if (!elements) return false;
    paragraphs.forEach((token, index) => {
      const block = new ProseBlock(token, context, elements[index]);
      this.findGroup(this.blocks.length).append(block.element);
      this.blocks.push(block);
    });
    while (this.cursor < end) {
      const before = this.positions[this.cursor].count;
      this.moveOn({ count: before + isShown(tokens[this.cursor]), outline });
    }
    return true;
  }
}

// Whether a token becomes one paragraph, whatever is rendered beside it. A tag that is not closed
// would reach into the next paragraph.
const isSimpleParagraph = ({ type, raw }) => type === 'paragraph' && !raw.includes('<');

// Returns an element for each of some paragraphs, or null if they have to be rendered one by one.
function renderParagraphs(tokens, context) {
  try {
    for (const token of tokens) prepareLexer(token, context).lexInline(token);
    const elements = [...renderTokens(tokens, context.level).children];
    return elements.length === tokens.length ? elements : null;
  } catch {
    return null; // the one that failed will say why
  }
}

function prepareLexer({ lexer }, { isGrowing, links }) {
  lexer.startTimer();
  lexer.isGrowing = isGrowing;
  lexer.tokens.links = links;
  return lexer;
}

class ProseBlock {
  // A new block is empty, or shows a token already.
  constructor(token, context, ...content) {
    this.isWhole = true; // whether all of the token is shown
    this.element = document.createElement('div');
    this.element.append(...content);
    if (token) this.remember(token, context);
  }

  remember({ raw, type }, context) {
    Object.assign(this, { raw, type, context });
  }

  // Whether the block shows this token already. A link definition changes the blocks before it.
  isUpToDate(token, { level, linksKey, isGrowing }) {
    const { raw, type, context } = this;
    return this.isWhole && raw === token.raw && type === token.type && context.level === level
      && !context.isGrowing && !isGrowing && (context.linksKey === linksKey || !raw.includes('['));
  }

  update(token, context, deadline) {
    const isSame = this.context?.level === context.level && this.context?.linksKey === context.linksKey;
    this.remember(token, context);
    this.isWhole = true;
    try {
      this.render(token, isSame, deadline);
    } catch (error) {
      if (!(error instanceof TooComplexError)) console.warn('A block is shown as plain text.', error);
      this.renderPlain(token.raw);
    }
  }

  render(token) {
    this.patch(this.renderToken(token));
  }

  renderToken(token) {
    prepareLexer(token, this.context).lexInline(token);
    return renderTokens([token], this.context.level);
  }

  renderPlain(text) {
    const paragraph = document.createElement('p');
    Object.assign(paragraph, { className: 'plain', dir: 'auto', textContent: text.trim() });
    this.patch(paragraph);
  }

  patch(...content) {
    const fresh = document.createElement('div');
    fresh.append(...content);
    patchChildren(this.element, fresh);
  }
}

class PlainBlock extends ProseBlock {
  render({ raw }) {
    this.renderPlain(raw);
  }
}

// A block of parts, which are list items or table rows. From the first one that changed on, they are
// rendered again, a slice at a time until a deadline. `keys` has a text for each part of the token,
// and `count` says how many of them are shown.
class PartsBlock extends ProseBlock {
  render(token, isSame, deadline) {
    if (token !== this.token || !isSame) this.compare(token, isSame);
    const { length } = this.keys;
    while (!this.container || this.count < length) {
      this.showSlice(token);
      if (performance.now() >= deadline) break;
    }
    this.isWhole = this.count === length;
    if (!this.isWhole) return;
    this.removeParts(length);
    setBlockDirection(this.container.closest('ul, ol, table'));
    // The last part may have a formula without an end.
    if (this.context.isGrowing && length) this.count -= 1;
  }

  // Finds out how many parts of another token are shown already.
  compare(token, isSame) {
    const keys = this.listKeys(token);
    const frameKey = this.formatFrameKey(token);
    if (frameKey !== this.frameKey) this.container = null;
    const known = this.container && isSame ? this.keys.slice(0, this.count) : [];
    let count = 0;
    while (count < keys.length && keys[count] === known[count]) count += 1;
    Object.assign(this, { token, keys, frameKey, count });
  }

  showSlice(token) {
    const end = findSliceEnd(this.keys, this.count);
    const fresh = this.renderToken(this.takeParts(token, this.count, end));
    if (this.container) {
      let shown = this.container.children[this.count] ?? null;
      for (const part of [...this.findContainer(fresh).children]) {
        const following = shown?.nextElementSibling ?? null;
        if (shown) patchNode(shown, part);
        else this.container.append(part);
        shown = following;
      }
    } else {
      this.patch(fresh);
      this.container = this.findContainer(this.element);
    }
    this.count = end;
  }

  removeParts(count) {
    if (!count) return; // the container of a table without rows has its header
    while (this.container.children.length > count) this.container.lastElementChild.remove();
  }

  renderPlain(text) {
    this.container = this.token = null;
    super.renderPlain(text);
  }
}

class ListBlock extends PartsBlock {
  listKeys = ({ items, loose }) => items.map(({ raw }) => `${loose} ${raw.trimEnd()}`);

  formatFrameKey = ({ ordered, start }) => `${ordered} ${start}`;

  takeParts = (token, start, end) => ({ ...token, items: token.items.slice(start, end) });

  findContainer = root => root.querySelector('ul, ol');
}

class TableBlock extends PartsBlock {
  listKeys = ({ rows }) => rows.map(row => row.map(({ text }) => text).join('\n'));

  formatFrameKey = ({ header, align, rows }) => {
    const texts = header.map(({ text }) => text);
    const links = texts.some(text => text.includes('[')) ? this.context.linksKey : '';
    return JSON.stringify([texts, align, rows.length > 0, links]);
  };

  takeParts = (token, start, end) => ({ ...token, rows: token.rows.slice(start, end) });

  findContainer = root => root.querySelector('tbody') ?? root.querySelector('thead');
}

// Returns the end of the slice that begins at some part; there is at least one part in it.
function findSliceEnd(keys, start) {
  let end = start;
  for (let length = 0; end < keys.length && length < SLICE_LENGTH; end += 1) length += keys[end].length;
  return end;
}

class CodeBlock extends ProseBlock {
  render({ text, lang }) {
    const language = /^\S*/.exec(lang ?? '')[0];
    const code = this.element.querySelector('code');
    const hasGrown = code && this.language === language && text.startsWith(this.code);
    const now = performance.now();
    if (hasGrown && this.context.isGrowing && now < this.nextHighlighting) {
      appendText(code, text.slice(this.code.length));
    } else {
      const content = highlight(text, language);
      if (hasGrown) {
        const fresh = document.createElement('code');
        fresh.append(content);
        patchChildren(code, fresh);
      } else {
        this.patch(createCodeFrame(content, language));
      }
      const end = performance.now();
      this.nextHighlighting = end + (end - now) * (1 / HIGHLIGHTING_SHARE - 1);
    }
    Object.assign(this, { code: text, language });
  }
}

function appendText(element, text) {
  const { lastChild } = element;
  if (lastChild?.nodeType === Node.TEXT_NODE) lastChild.appendData(text);
  else if (text) element.append(text);
}

const BLOCK_CLASSES = { code: CodeBlock, list: ListBlock, table: TableBlock, plain: PlainBlock };
