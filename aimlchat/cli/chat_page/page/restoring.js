'use strict';
// A conversation that was stored, shown again: each turn by itself, so that one that is damaged
// takes no other with it.

const STATES = ['waiting', 'thinking', 'answering', ...FINAL_STATES];
const DAMAGED = 'This turn cannot be shown as it was. It stays stored as it is.';

// Returns a turn for data that were stored. Data that are no turn's, or that cannot be rendered, are
// shown as far as they are texts, and are stored again as they were.
function restoreTurn(track, stored, isLast) {
  try {
    const { question, answer, reasoning, answerId, state } = stored;
    const areTexts = [question, answer, reasoning, answerId].every(text => typeof text === 'string');
    if (!areTexts || !STATES.includes(state)) throw new TypeError('This is not a turn.');
    const data = structuredClone(stored);
    // Only the last turn can be unfinished.
    if (!isLast && !FINAL_STATES.includes(state)) data.state = 'stopped';
    const turn = new Turn(track, data);
    exportMarkdown([turn.data], new Date()); // reads all that the page will read of it later
    exportJson([turn.data], new Date());
    buildMessage(turn.data);
    return turn;
  } catch (error) {
    console.warn(DAMAGED, error);
    const textOf = name => (typeof stored?.[name] === 'string' ? stored[name] : '');
    const texts = { question: textOf('question'), answer: '', answerId: crypto.randomUUID() };
    const turn = new Turn(track, { ...texts, state: 'failed', note: DAMAGED });
    turn.stored = stored;
    turn.data.answer = textOf('answer'); // the model still reads it
    turn.find('.answer').textContent = turn.data.answer;
    turn.element.classList.add('damaged');
    return turn;
  }
}

// Returns what to store of a turn.
const storedDataOf = turn => (turn.stored === undefined ? turn.data : turn.stored);
