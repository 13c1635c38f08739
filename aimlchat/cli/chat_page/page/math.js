'use strict';
// Formulas: \( \), \[ \], $ $ and $$ $$. They are found before the rest of the Markdown, so that
// nothing in them counts as emphasis or as an escape. A formula is rendered as MathML, which
// the browser lays out itself; one that cannot be rendered is shown as its source.

const MAX_FORMULA_LENGTH = 5000;
const DELIMITERS = [['\\(', '\\)'], ['\\[', '\\]'], ['$$', '$$']];
const BLANK_LINE = /\n[ \t]*\n/;
// As in Pandoc, there is no space inside of the dollar signs, and no digit or letter after the
// last one, so that "$5 and $6" is no formula.
const DOLLARS = /^\$(?!\s)((?:[^\\$`]|\\[^])+)(?<!\s)\$(?![\w$])/;
const AMOUNT_IN_PROSE = /^\d[\d.,]*[kKmMbB]?\s+[a-z]{2,}/i; // "$5 for one, or 9$"
// Escaped brackets such as \[1\] stand for brackets unless there is some mathematics in them.
const MATHEMATICS = /[\\^_=+<>{}|*/-]|\d\s*[a-z]|[a-z]\s*\d/i;
const ESCAPES_BEFORE_LINK = /^\\\](?:\(|\\\()/;

// Returns the formula that begins at the start of a text, or null. While the text grows, a formula
// without an end is one that is still pending, and is shown as it is.
function readFormula(text, isGrowing) {
  const pair = DELIMITERS.find(([open]) => text.startsWith(open));
  if (!pair) return null;
  const [open, close] = pair;
  const limit = text.slice(0, MAX_FORMULA_LENGTH);
  let end = limit.indexOf(close, open.length);
  // In \\) the backslash is part of a line break of the formula.
  while (end > 0 && close !== '$$' && /(?<!\\)(?:\\\\)*\\$/.test(limit.slice(open.length, end))) {
    end = limit.indexOf(close, end + 1);
  }
  const body = end < 0 ? limit.slice(open.length) : limit.slice(open.length, end);
  if (BLANK_LINE.test(body)) return null;
  if (end < 0) {
    const isPending = isGrowing && limit.length === text.length;
    return isPending ? { raw: text, isPending, isDisplay: false } : null;
  }
  if (!body.trim()) return null;
  return { raw: text.slice(0, end + 2), body, close, isDisplay: close !== '\\)' };
}

function readInlineFormula(text, before, isGrowing) {
  const formula = readFormula(text, isGrowing);
  if (formula) {
    const isBracket = formula.close === '\\]';
    const isLink = isBracket && ESCAPES_BEFORE_LINK.test(text.slice(formula.raw.length - 2));
    return isBracket && (isLink || !MATHEMATICS.test(formula.body)) ? null : formula;
  }
  if (/[\w$\\]/.test(before)) return null; // US$5
  const match = DOLLARS.exec(text);
  if (!match || match[0].length > MAX_FORMULA_LENGTH || BLANK_LINE.test(match[1])) return null;
  return AMOUNT_IN_PROSE.test(match[1]) ? null : { raw: match[0], isDisplay: false };
}

// What marked has to know to find formulas: see its documentation of extensions.
const MATH_EXTENSIONS = [
  {
    name: 'formulaBlock',
    level: 'block',
    // Where a formula interrupts a paragraph.
    start: text => /^[^]*?\n(?= {0,3}(?:\$\$|\\\[))/.exec(text.split(BLANK_LINE, 1)[0])?.[0].length,
    tokenizer(text) {
      const indent = /^ {0,3}(?=\$\$|\\\[)/.exec(text)?.[0];
      if (indent === undefined) return undefined;
      const formula = readFormula(text.slice(indent.length), this.lexer.isTextGrowing());
      if (!formula) return undefined;
      const length = indent.length + formula.raw.length;
      const lineEnd = /^[.,;]?[ \t]*(?:\n|$)/.exec(text.slice(length))?.[0];
      if (lineEnd === undefined) return undefined;
      const raw = text.slice(0, length + lineEnd.length);
      return { ...formula, type: 'formulaBlock', raw, source: raw.trim() };
    },
    renderer: token => `<p>${formatFormula(token)}</p>`,
  },
  {
    name: 'formula',
    level: 'inline',
    start(text) {
      const index = text.search(/\$|\\[([]/);
      return index < 0 ? undefined : index;
    },
    tokenizer(text, tokens) {
      if (text[0] !== '$' && text[0] !== '\\') return undefined;
      const before = tokens.at(-1)?.raw.at(-1) ?? '';
      const formula = readInlineFormula(text, before, this.lexer.isGrowing);
      return formula ? { ...formula, type: 'formula', source: formula.raw } : undefined;
    },
    renderer: token => formatFormula(token),
  },
];

function formatFormula({ source, isPending, isDisplay }) {
  const classes = isPending ? 'formula-source' : `math${isDisplay ? ' display' : ''}`;
  return `<span class="${classes}">${escapeHtml(source)}</span>`;
}

// Keeps emphasis from beginning or ending inside of a formula. The length of the text must not
// change. In it, \( and \[ are masked as escapes already.
function maskFormulas(text) {
  if (!text.includes('$')) return text;
  return text.replace(/(?<![\w$\\])\$\$?(?!\s)[^$`\n]+(?<!\s)\$\$?(?![\w$])/g, formula => 'a'.repeat(formula.length));
}

const formulas = new Map(); // rendered formulas by their source
const MAX_FORMULAS = 500;

// Renders the formula whose source an element contains.
function renderFormula(element) {
  const source = element.textContent;
  const key = `${element.className} ${source}`;
  let formula = formulas.get(key);
  if (!formula) {
    formula = createMathML(source, element.classList.contains('display'));
    if (formulas.size >= MAX_FORMULAS) formulas.clear();
    formulas.set(key, formula);
  }
  if (formula.hasFailed) element.className = 'formula-source';
  else element.replaceChildren(...[...formula.childNodes].map(node => node.cloneNode(true)));
}

function createMathML(source, isDisplay) {
  const result = document.createElement('span');
  const [, body, sign] = /^(?:\$\$|\$|\\[([])([^]*?)(?:\$\$|\$|\\[)\]])([.,;]?)$/.exec(source);
  try {
    // It makes elements, no HTML, and neither links, images nor attributes of the formula's choice.
    temml.render(body, result, {
      displayMode: isDisplay, throwOnError: true, trust: false, maxExpand: 200, maxSize: [20, 200],
    });
    checkMathML(result);
    result.querySelector('math').setAttribute('alttext', source);
    result.append(sign);
  } catch {
    result.hasFailed = true;
  }
  return result;
}

const MATHML = 'http://www.w3.org/1998/Math/MathML';
const MATHML_ATTRIBUTES = new Set(`accent accentunder align class columnalign columnlines
  columnspacing columnspan depth display displaystyle encoding fence form height largeop linethickness lspace
  mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing
  rowspan rspace scriptlevel separator side stretchy style symmetric voffset width xmlns`.split(/\s+/));
const MATHML_ELEMENTS = new Set(`math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom
  mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none
  semantics`.split(/\s+/));

// Removes the attributes that are no mathematics, such as the id of a label, and throws an error if
// there is such an element.
function checkMathML(root) {
  for (const element of root.querySelectorAll('*')) {
    const isKnown = element.namespaceURI === MATHML && MATHML_ELEMENTS.has(element.localName);
    if (!isKnown) throw new Error(`a formula must not contain <${element.localName}>`);
    for (const name of element.getAttributeNames()) {
      if (!MATHML_ATTRIBUTES.has(name)) element.removeAttribute(name);
    }
  }
}
