'use strict';
// Shows a growing Markdown text in an element. Only blocks that have changed are rendered again,
// and the last block, list item or table row is changed in place.

const HIGHLIGHTING_SHARE = 0.1; // of the time while a code block grows

class MarkdownView {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  clear() {
    this.splitter = new BlockSplitter();
    this.blocks = [];
    this.text = '';
    this.isGrowing = false;
    this.element.replaceChildren();
  }

  // Shows a text, of which more may come if it is growing. Never throws an error: what cannot be
  // rendered is shown as plain text.
  show(text, isGrowing = false) {
    if (text === this.text && isGrowing === this.isGrowing) return;
    Object.assign(this, { text, isGrowing });
    const allTokens = this.splitter.split(text, isGrowing);
    // A definition that still grows has only a part of its address.
    const links = collectLinks(isGrowing ? allTokens.slice(0, -1) : allTokens);
    const linksKey = JSON.stringify(links);
    const tokens = allTokens.filter(({ type }) => type !== 'space' && type !== 'def');
    const outline = []; // the depths of the headings above
    tokens.forEach((token, index) => {
      if (token.type === 'heading') {
        while (outline.at(-1) >= token.depth) outline.pop();
      }
      const level = FIRST_HEADING_LEVEL + outline.length;
      if (token.type === 'heading') outline.push(token.depth);
      this.showBlock(index, token, {
        level, links, linksKey, isGrowing: isGrowing && index === tokens.length - 1,
      });
    });
    for (const block of this.blocks.splice(tokens.length)) block.element.remove();
  }

  showBlock(index, token, context) {
    let block = this.blocks[index];
    if (block?.isUpToDate(token, context)) return;
    const Block = BLOCK_CLASSES[token.type] ?? ProseBlock;
    if (block?.constructor !== Block) {
      const previous = block?.element;
      block = this.blocks[index] = new Block();
      if (previous) previous.replaceWith(block.element);
      else this.element.append(block.element);
    }
    block.update(token, context);
  }
}

class ProseBlock {
  constructor() {
    this.element = document.createElement('div');
  }

  // Whether the block shows this token already. A link definition changes the blocks before it.
  isUpToDate(token, { level, linksKey, isGrowing }) {
    const { raw, type, context } = this;
    return raw === token.raw && type === token.type && context.level === level
      && !context.isGrowing && !isGrowing && (context.linksKey === linksKey || !raw.includes('['));
  }

  update(token, context) {
    const isSame = this.context?.level === context.level && this.context?.linksKey === context.linksKey;
    Object.assign(this, { raw: token.raw, type: token.type, context });
    try {
      if (token.lexer) {
        token.lexer.startTimer();
        token.lexer.isGrowing = context.isGrowing;
        token.lexer.tokens.links = context.links;
      }
      this.render(token, isSame);
    } catch (error) {
      if (!(error instanceof TooComplexError)) console.warn('A block is shown as plain text.', error);
      this.renderPlain(token.raw);
    }
  }

  render(token) {
    this.patch(this.renderToken(token));
  }

  renderToken(token) {
    token.lexer.lexInline(token);
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

// A block with parts of which only those that changed are rendered again, from the first on.
class PartsBlock extends ProseBlock {
  render(token, isSame) {
    const parts = this.listParts(token);
    const key = this.formatKey(token);
    const isKept = isSame && this.container?.isConnected && this.key === key;
    let first = 0;
    while (isKept && first < parts.length && parts[first].key === this.parts[first]) first += 1;
    // The part that was the last one may have been rendered with a formula without an end.
    first = Math.max(0, Math.min(first, parts.length - 1, (this.parts?.length ?? 0) - 1));
    const fresh = this.renderToken(this.takeParts(token, isKept ? first : 0));
    if (isKept) {
      const rows = [...this.findContainer(fresh).children];
      const known = [...this.container.children].slice(first);
      rows.forEach((row, index) => {
        if (known[index]) patchNode(known[index], row);
        else this.container.append(row);
      });
      for (const row of known.slice(rows.length)) row.remove();
    } else {
      this.patch(fresh);
      this.container = this.findContainer(this.element);
    }
    Object.assign(this, { key, parts: parts.map(part => part.key) });
  }

  renderPlain(text) {
    this.container = null;
    super.renderPlain(text);
  }
}

class ListBlock extends PartsBlock {
  listParts = ({ items }) => items.map(({ raw }) => ({ key: raw.trimEnd() }));

  formatKey = ({ ordered, start, loose }) => `${ordered} ${start} ${loose}`;

  takeParts = (token, first) => ({ ...token, items: token.items.slice(first) });

  findContainer = root => root.querySelector('ul, ol');
}

class TableBlock extends PartsBlock {
  listParts = ({ rows }) => rows.map(row => ({ key: row.map(({ text }) => text).join('\n') }));

  formatKey = ({ header, align, rows }) => JSON.stringify(
    [header.map(({ text }) => text), align, rows.length > 0],
  );

  takeParts = (token, first) => ({ ...token, rows: token.rows.slice(first) });

  findContainer = root => root.querySelector('tbody') ?? root.querySelector('thead');
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
