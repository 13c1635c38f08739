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
const PIECE_LENGTH = 32768; // of a text that is split at a time, in characters

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

// Whether a block of the page shows the token.
const isShown = ({ type }) => type !== 'space' && type !== 'def';

// Returns how many of some tokens stay as they are if more text follows.
function countSettled(tokens) {
  let blocks = 0;
  let index = tokens.length;
  while (index > 0 && blocks <= UNSETTLED_BLOCKS) {
    index -= 1;
    if (tokens[index].type !== 'space') blocks += 1;
  }
  return index;
}

// Splits a text piece by piece, so that a long one does not block the page. Each piece is split as
// if the text ended there and might grow.
class BlockSplitter {
  constructor() {
    this.text = '';
    this.isGrowing = false;
    // Tokens of marked, or {type: 'plain', raw}. Together, their `raw` is the text up to `position`.
    // Each has its lexer, for its inline content.
    this.tokens = [];
    this.position = 0;
    this.defining = []; // the tokens that contain definitions of links
    this.failed = new Set(); // where blocks begin that became plain text
    this.failures = 0; // of this text
    this.pieceLength = PIECE_LENGTH;
  }

  get isDone() {
    return this.position === this.text.length;
  }

  // Takes another text; returns how many of the tokens stay. A text that has grown to its end is
  // split once more if a part of it had failed.
  setText(text, isGrowing) {
    const normal = text.replace(/\r\n?/g, '\n');
    const hasGrown = normal.startsWith(this.text) && (isGrowing || !this.failed.size);
    if (!hasGrown) {
      this.failed.clear();
      this.keep(0);
    } else if (this.isDone) this.keep(countSettled(this.tokens));
    Object.assign(this, { text: normal, isGrowing, failures: 0, pieceLength: PIECE_LENGTH });
    return this.tokens.length;
  }

  keep(count) {
    for (const { raw } of this.tokens.splice(count)) this.position -= raw.length;
    const first = this.defining.findIndex(token => token.index >= count);
    if (first >= 0) this.defining.splice(first);
  }

  push(token) {
    const definitions = token.lexer ? findDefinitions(token) : [];
    if (definitions.length) this.defining.push({ index: this.tokens.length, definitions });
    this.tokens.push(token);
    this.position += token.raw.length;
  }

  // Returns the definitions of links. One at the end of a text that grows has only a part of its
  // address.
  collectLinks() {
    const last = this.tokens.length - 1;
    const isWhole = ({ index }) => !(this.isGrowing && index === last);
    return collectLinks(this.defining.filter(isWhole));
  }

  // Adds the tokens of the next piece. There may be none yet if a block is longer than the piece.
  advance() {
    const { text, position, failed } = this;
    if (failed.has(position)) {
      this.push(this.takePlain(position));
      return;
    }
    const limit = Math.min(text.length, ...[...failed].filter(start => start > position));
    const end = Math.min(limit, position + this.pieceLength);
    const lexer = new GuardedLexer(end < limit || (this.isGrowing && end === text.length));
    let hasFailed = false;
    try {
      lexer.lexBlocks(text.slice(position, end));
    } catch {
      hasFailed = true;
    }
    const isCut = end < limit && !hasFailed;
    const tokens = lexer.tokens.slice(0, isCut ? countSettled(lexer.tokens) : undefined);
    for (const token of tokens) this.push(Object.assign(token, { lexer }));
    this.pieceLength = tokens.length ? PIECE_LENGTH : this.pieceLength * 2;
    if (hasFailed) {
      this.failed.add(this.position);
      this.failures += 1;
      this.push(this.takePlain(this.position));
    }
  }

  // Takes the text to the next blank line.
  takePlain(position) {
    const { text } = this;
    const blank = /\n[ \t]*\n\s*/g;
    blank.lastIndex = position;
    const end = this.failures < MAX_FAILURES && blank.exec(text) ? blank.lastIndex : text.length;
    return { type: 'plain', raw: text.slice(position, end) };
  }
}
