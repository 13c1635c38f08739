'use strict';
// The answers of a turn: another one to the same question, and the rest of one that was cut. These
// functions change the plain data of a turn (turn.js); its other answers are plain data, too.

// The fields of a turn that are not of one answer.
const QUESTION_FIELDS = ['question', 'files', 'otherAnswers', 'answerIndex'];
const MAX_LAST_WORDS = 40; // in characters
const MIN_REPEATED_LENGTH = 4; // in characters

const countAnswers = data => data.otherAnswers.length + 1;

// Returns all answers of a turn, oldest first; the one that is shown is at `data.answerIndex`.
function listAnswers(data) {
  const shown = Object.entries(data).filter(([name]) => !QUESTION_FIELDS.includes(name));
  return data.otherAnswers.toSpliced(data.answerIndex, 0, Object.fromEntries(shown));
}

// Shows one of these answers, or a new one.
function showAnswer(data, answers, index) {
  for (const name of Object.keys(data)) {
    if (!QUESTION_FIELDS.includes(name)) delete data[name];
  }
  Object.assign(data, answers[index]);
  data.answerIndex = index;
  data.otherAnswers = answers.toSpliced(index, 1);
}

// Begins another answer. The one that is shown is kept, unless it has no text.
function beginAnotherAnswer(data, choices) {
  const answers = listAnswers(data);
  if (!data.answer && !data.reasoning) answers.splice(data.answerIndex, 1);
  answers.push({ ...newAnswer(), startedAt: Date.now(), ...choices });
  showAnswer(data, answers, answers.length - 1);
}

// Whether the model may have had more to say.
function isCut({ state, answer, metadata }) {
  if (!answer) return false;
  return state === 'stopped' || state === 'failed' || metadata?.finishReason === 'length';
}

// Begins the rest of an answer that was cut; `data.before` is the part that is there.
function beginRest(data, answerId) {
  const { reasoning, answer, calls, breaks, signedTurns, thinkingSeconds, metadata } = data;
  const before = {
    texts: { reasoning, answer }, calls, breaks, signedTurns, thinkingSeconds, metadata,
  };
  const parts = { reasoning, answer, calls, breaks, signedTurns, metadata, before };
  Object.assign(data, newAnswer(), parts, { answerId, startedAt: Date.now() });
}

function addText(data, text) {
  if (!data.before) {
    data.answer += text;
    return;
  }
  data.addition += text;
  data.answer = joinRest(data.before.texts.answer, data.addition);
}

function addReasoning(data, text) {
  const isNewPart = data.reasoning && data.reasoning === data.before?.texts.reasoning;
  data.reasoning += (isNewPart ? '\n\n' : '') + text;
}

// The last words of an answer that was cut. The request is to repeat them, because no model
// begins a message with the space, or the rest of a word, that is missing.
function findLastWords(answer) {
  const text = answer.trimEnd();
  const line = text.slice(text.lastIndexOf('\n') + 1).trimStart();
  if (line.length <= MAX_LAST_WORDS) return line;
  const end = line.slice(-MAX_LAST_WORDS);
  return /\s\S/.test(end) ? end.slice(end.search(/\s\S/) + 1) : end;
}

// Joins an answer that was cut and the text that continues it.
function joinRest(before, addition) {
  const rest = addition.trimStart();
  for (const words of listEnds(findLastWords(before))) {
    if (rest.startsWith(words)) return before.trimEnd() + rest.slice(words.length);
    if (words.startsWith(rest)) return before; // more of the last words is to come
  }
  return before + addition;
}

// Returns the last words, and each end of them that begins with a word: some models repeat fewer
// words than were requested. A few letters may be the same by chance.
function listEnds(lastWords) {
  const starts = [...lastWords.matchAll(/(?<=\s)\S/g)].map(({ index }) => index);
  const ends = starts.map(start => lastWords.slice(start));
  return [lastWords, ...ends.filter(end => end.length >= MIN_REPEATED_LENGTH)];
}

// Adds up the numbers of two values of the same shape: tokens, dollars and seconds.
function addUp(one, other) {
  if (one == null || other == null) return other ?? one;
  if (typeof one === 'number' && typeof other === 'number') return one + other;
  if (typeof one !== 'object' || typeof other !== 'object') return other;
  const names = Object.keys({ ...one, ...other });
  return Object.fromEntries(names.map(name => [name, addUp(one[name], other[name])]));
}
