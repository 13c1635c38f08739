'use strict';
// Splits Markdown into its top-level blocks. A text that grows is split again only near its end,
// and a block that is nested too deeply, too long or too slow becomes plain text.

const MAX_DEPTH = 40;
const MAX_INLINE_LENGTH = 20000; // a paragraph; marked takes quadratic time for some
const LEXING_LIMIT = 300; // ms for a block
const MAX_FAILURES = 5; // after so many slow blocks in a text, its rest is plain
// How many of the last blocks may still change when the text grows: a paragraph may become part of
// the block before it.
const UNSETTLED_BLOCKS = 2;

class TooComplexError extends Error {}

class GuardedLexer extends marked.Lexer {
  // `isTail` tells whether the text ends where the whole text, which may grow, ends.
  constructor(isTail) {
    super(markdown.defaults);
    this.isTail = isTail;
    this.isGrowing = false; // whether the text of the block that is rendered may grow
    this.depth = 0;
    this.startTimer();
  }

  startTimer() {
    this.deadline = performance.now() + LEXING_LIMIT;
  }

  checkTime() {
    if (performance.now() > this.deadline) throw new TooComplexError('lexing takes too long');
  }

  // Whether a top-level block that reaches to the end of the text may grow.
  isTextGrowing() {
    return this.isTail && this.depth === 1;
  }

  blockTokens(...parameters) {
    return this.nest(() => super.blockTokens(...parameters));
  }

  inlineTokens(text, tokens) {
    if (text.length > MAX_INLINE_LENGTH) throw new TooComplexError('a paragraph is too long');
    return this.nest(() => super.inlineTokens(text, tokens));
  }

  nest(lex) {
    if (this.depth >= MAX_DEPTH) throw new TooComplexError('the text is nested too deeply');
    this.depth += 1;
    try {
      return lex();
    } finally {
      this.depth -= 1;
    }
  }

  // Finds the blocks of a text. Their inline content is left to `lexInline`. After an error,
  // `tokens` has the blocks before the one that failed.
  lexBlocks(text) {
    try {
      this.blockTokens(text, this.tokens);
    } finally {
      // Before its text is lexed, an item of a task list has the token of its checkbox.
      this.inlineTexts = new Map(
        this.inlineQueue.map(({ src, tokens }) => [tokens, { text: src, first: [...tokens] }]),
      );
      this.inlineQueue = [];
    }
  }

  // Makes the inline tokens inside of a token. May be repeated after `links` has changed.
  lexInline(token) {
    const { tokens } = token;
    const inline = this.inlineTexts.get(tokens);
    if (inline) {
      tokens.splice(0, tokens.length, ...inline.first);
      this.state.inRawBlock = false;
      this.inlineTokens(inline.text, tokens);
      return;
    }
    const parts = [tokens, token.items, token.header, token.rows?.flat()];
    for (const part of parts.flatMap(list => list ?? [])) this.lexInline(part);
  }
}

// Returns the link definitions of some tokens. Of several for a label, the first counts.
function collectLinks(tokens) {
  const links = Object.create(null);
  for (const { definitions = [] } of tokens) {
    for (const { tag, href, title } of definitions) links[tag] ??= { href, title };
  }
  return links;
}

function findDefinitions(token) {
  if (token.type === 'def') return [token];
  if (!token.raw.includes(']:')) return [];
  return [...token.tokens ?? [], ...token.items ?? []].flatMap(findDefinitions);
}

class BlockSplitter {
  constructor() {
    this.text = '';
    this.tokens = [];
    this.failed = new Set(); // where blocks begin that became plain text
  }

  // Returns the blocks of a text as tokens of marked, or as {type: 'plain', raw}. Together, their
  // `raw` is the text. Each has its lexer, for its inline content.
  split(text, isGrowing) {
    const normal = text.replace(/\r\n?/g, '\n');
    const hasGrown = isGrowing && normal.startsWith(this.text);
    if (!hasGrown) this.failed.clear();
    const kept = hasGrown ? this.countSettled() : 0;
    const tokens = this.tokens.slice(0, kept);
    let position = tokens.reduce((length, { raw }) => length + raw.length, 0);
    this.failures = 0;
    while (position < normal.length) {
      for (const token of this.splitFrom(normal, position, isGrowing)) {
        tokens.push(token);
        position += token.raw.length;
      }
    }
    Object.assign(this, { text: normal, tokens });
    return tokens;
  }

  countSettled() {
    let blocks = 0;
    let index = this.tokens.length;
    while (index > 0 && blocks <= UNSETTLED_BLOCKS) {
      index -= 1;
      if (this.tokens[index].type !== 'space') blocks += 1;
    }
    return index;
  }

  // Returns at least one token from a position on; all if they can be lexed.
  splitFrom(text, position, isGrowing) {
    if (this.failed.has(position)) return [this.takePlain(text, position)];
    const end = Math.min(text.length, ...[...this.failed].filter(start => start > position));
    const lexer = new GuardedLexer(isGrowing && end === text.length);
    let failure = null;
    try {
      lexer.lexBlocks(text.slice(position, end));
    } catch (error) {
      failure = error;
    }
    const tokens = [...lexer.tokens];
    for (const token of tokens) {
      Object.assign(token, { lexer, definitions: findDefinitions(token) });
    }
    if (failure) {
      const start = position + tokens.reduce((length, { raw }) => length + raw.length, 0);
      this.failed.add(start);
      this.failures += 1;
      tokens.push(this.takePlain(text, start));
    }
    return tokens;
  }

  // Takes the text to the next blank line.
  takePlain(text, position) {
    const blank = /\n[ \t]*\n\s*/g;
    blank.lastIndex = position;
    const end = this.failures < MAX_FAILURES && blank.exec(text) ? blank.lastIndex : text.length;
    return { type: 'plain', raw: text.slice(position, end) };
  }
}
