'use strict';
// The page: the conversation, the composer and the choice of a model. The conversation is kept in
// the page and sent to the server with each question.

const $ = id => document.getElementById(id);
const MAX_ANNOUNCED_LENGTH = 1000;

let turns = [];
let isStopping = false;
let models = [];
let hasLoadedModels = false;

const pageEnd = new EndFollower(document.scrollingElement, updateLatest);
const trackPage = change => pageEnd.track(change);
const undoNotice = new Notice($('undo-notice'));
const storageNotice = new Notice($('storage-notice'));
const storage = new PageStorage(problem => {
  if (problem) {
    storageNotice.show(STORAGE_PROBLEMS[problem]);
    announce(STORAGE_PROBLEMS[problem]);
  } else storageNotice.hide();
});

const activeTurn = () => (turns.length && !turns.at(-1).hasEnded ? turns.at(-1) : null);

const connection = new ServerConnection('chat', {
  onOpen: () => {
    if (!$('disconnected').hidden) announce('Reconnected.');
    $('disconnected').hidden = true;
    if (!hasLoadedModels) loadModels();
    const turn = activeTurn();
    if (!turn) return;
    const { answerId, lastFrame } = turn.data;
    const follow = { type: 'follow', answer_id: answerId, after: lastFrame };
    connection.send(turn.isUnconfirmed ? buildAskMessage(turn) : follow);
    if (isStopping) connection.send({ type: 'stop' });
  },
  onFrame: frame => {
    const turn = activeTurn();
    if (!turn) return;
    const before = turn.data.state;
    turn.isUnconfirmed = false;
    turn.apply(frame);
    if (turn.data.state !== before) updatePage(turn);
  },
  onLoss: () => {
    if ($('disconnected').hidden) announce($('disconnected').textContent);
    trackPage(() => { $('disconnected').hidden = false; });
  },
  isFrameExpected: () => activeTurn() !== null,
});

// --- asking and stopping -------------------------------------------------------------------------

function ask(question) {
  const turn = new Turn(trackPage, { question, ...readChoices() });
  addTurn(turn);
  startAnswer(turn);
}

// What the user chose for the next answer, and its id.
function readChoices() {
  return {
    answerId: crypto.randomUUID(),
    model: $('model').value || null,
    thinking: $('thinking').disabled ? null : Number($('thinking').value) || null,
  };
}

function startAnswer(turn) {
  // Until the first frame, the server may not have received the question, so a new connection
  // sends it again.
  turn.isUnconfirmed = true;
  turn.render();
  connection.send(buildAskMessage(turn));
  updatePage(turn);
  pageEnd.start();
}

function buildAskMessage({ data }) {
  const { answerId, question, model, thinking, before } = data;
  const earlierTurns = turns.slice(0, -1).map(turn => ({
    question: turn.data.question,
    answer: turn.data.answer,
  }));
  const cut = before && {
    answer: before.texts.answer, last_words: findLastWords(before.texts.answer),
  };
  return { type: 'ask', answer_id: answerId, question, model, thinking, turns: earlierTurns, cut };
}

// Asks for another answer to the last question.
function regenerate(turn) {
  if (activeTurn() || turn !== turns.at(-1)) return;
  beginAnotherAnswer(turn.data, readChoices());
  startAnswer(turn);
  $('question').focus();
}

// Asks for the rest of the last answer.
function continueAnswer(turn) {
  if (activeTurn() || turn !== turns.at(-1)) return;
  beginRest(turn.data, crypto.randomUUID());
  startAnswer(turn);
  $('question').focus();
}

function stop() {
  if (!activeTurn() || isStopping) return;
  isStopping = true;
  if (document.activeElement === $('stop')) $('question').focus();
  $('stop').disabled = true;
  connection.send({ type: 'stop' });
}

function addTurn(turn) {
  turns.push(turn);
  const onClick = (selector, handler) => turn.find(selector).addEventListener('click', handler);
  const show = step => showAnswer(turn.data, listAnswers(turn.data), turn.data.answerIndex + step);
  const showOther = step => {
    show(step);
    turn.render();
    updatePage(null);
  };
  onClick('.retry', () => regenerate(turn));
  onClick('.regenerate', () => regenerate(turn));
  onClick('.continue', () => continueAnswer(turn));
  onClick('.earlier', () => showOther(-1));
  onClick('.later', () => showOther(1));
  onClick('.edit', () => editQuestion(turn, question => askInstead(turn, question)));
  trackPage(() => $('turns').append(turn.element));
}

// --- what can be undone --------------------------------------------------------------------------

let undo = null; // plain data that survives a reload: {sentence, turns}

function offerUndo(offer) {
  undo = offer;
  if (!undo) undoNotice.hide();
  else {
    const forget = () => { offerUndo(null); saveConversation(); };
    undoNotice.show(undo.sentence, { label: 'Undo', onAction: applyUndo, onDismiss: forget });
  }
}

// Shows other turns; `sentence` says what has happened to those that the page shows now.
function replaceTurns(replacement, sentence) {
  if (activeTurn()) {
    Object.assign(activeTurn().data, { state: 'stopped', note: 'Stopped.' });
    connection.reopen();
  }
  const before = turns.map(storedDataOf);
  turns = [];
  $('turns').replaceChildren();
  replacement.forEach(restoreAndAdd);
  offerUndo(before.length ? { sentence, turns: before } : null);
  announce(sentence);
  updatePage(null);
}

function startNewChat() {
  replaceTurns([], 'This is a new chat.');
  $('question').focus();
}

// Asks an edited question; it replaces the turn, and those behind it go.
function askInstead(turn, question) {
  const index = turns.indexOf(turn);
  const count = turns.length - index - 1;
  const gone = ['', 'The turn behind it is gone.'][count] ?? `The ${count} turns behind it are gone.`;
  replaceTurns(turns.slice(0, index).map(storedDataOf), `The question was edited. ${gone}`.trim());
  ask(question);
  $('question').focus();
}

function applyUndo() {
  replaceTurns(undo.turns, 'The chat is back as it was before.');
  pageEnd.start();
  $('question').focus();
}

// --- states --------------------------------------------------------------------------------------

// Updates the page after a change of state; `turn` is the turn that changed, or null.
function updatePage(turn) {
  const isBusy = activeTurn() !== null;
  const hadFocus = document.activeElement === $('stop') || document.activeElement === $('send');
  if (!isBusy) isStopping = false;
  $('empty').hidden = turns.length > 0;
  $('new').disabled = turns.length === 0;
  $('send').hidden = isBusy;
  $('stop').hidden = !isBusy;
  $('stop').disabled = isStopping;
  $('chat-summary').hidden = isBusy || turns.length === 0;
  $('totals').textContent = formatTotals(sumUp(turns.map(turn => turn.data)));
  for (const button of document.querySelectorAll('.edit')) button.disabled = isBusy;
  if (hadFocus) $('question').focus(); // a button that is hidden loses the focus
  if (turn) announceState(turn);
  saveConversation();
}

// Lets a screen reader announce each state once, and the answer when it is complete.
function announceState({ data, answerView }) {
  const answer = answerView.element.cloneNode(true);
  for (const bar of answer.querySelectorAll('.code-bar')) bar.remove();
  const text = answer.textContent;
  const rest = text.length > MAX_ANNOUNCED_LENGTH ? 'The rest is on the page.' : '';
  const announcements = {
    waiting: 'Sent.',
    thinking: 'The model is thinking.',
    answering: 'The model is answering.',
    done: `${data.note} ${text.slice(0, MAX_ANNOUNCED_LENGTH)} ${rest}`,
    stopped: 'Stopped.',
    failed: data.note,
  };
  announce(announcements[data.state].trim());
}

function announce(text) {
  $('announcement').textContent = text;
}

// --- scrolling -----------------------------------------------------------------------------------

function updateLatest() {
  $('latest').hidden = pageEnd.isFollowing || !activeTurn();
}

setInterval(() => {
  if (activeTurn()?.data.state === 'thinking') activeTurn().renderThinkingTime();
}, 1000);

// --- the composer --------------------------------------------------------------------------------

function fitQuestionHeight() {
  const box = $('question');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight}px`;
}

function submit() {
  const question = $('question').value.trim();
  if (!question || activeTurn()) return;
  $('question').value = '';
  trackPage(fitQuestionHeight);
  offerUndo(null);
  ask(question);
}

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  submit();
});
$('question').addEventListener('input', () => trackPage(fitQuestionHeight));
$('question').addEventListener('keydown', event => {
  // In an input method for Chinese or Japanese, Enter ends a word and must not send.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
addEventListener('keydown', event => {
  if (event.key === 'Escape' && !event.isComposing && event.target.tagName !== 'SELECT') stop();
});
$('stop').addEventListener('click', stop);
$('new').addEventListener('click', startNewChat);
$('latest').addEventListener('click', () => {
  pageEnd.start();
  $('question').focus();
});
for (const [id, build, type, extension] of [
  ['export-markdown', exportMarkdown, 'text/markdown', 'md'],
  ['export-json', exportJson, 'application/json', 'json'],
]) {
  $(id).addEventListener('click', () => {
    const now = new Date();
    saveFile(build(turns.map(turn => turn.data), now), type, extension, now);
  });
}

// --- models --------------------------------------------------------------------------------------

async function loadModels() {
  const response = await fetch('models');
  const { models: listed, default_model: defaultModel, emulator, error } = await response.json();
  hasLoadedModels = !error;
  const selected = $('model').value || storage.loadChoices().model || defaultModel;
  const unlisted = { id: selected, developer: error ?? 'Others', takes_budget: true };
  models = listed.some(({ id }) => id === selected) ? listed : [unlisted, ...listed];
  const developers = [...new Set(models.map(({ developer }) => developer))];
  $('model').replaceChildren(...developers.map(createModelGroup));
  $('model').value = selected;
  $('emulator').hidden = !emulator;
  updateThinkingChoice();
}

function createModelGroup(developer) {
  const group = document.createElement('optgroup');
  group.label = developer || 'Others';
  for (const model of models) {
    if (model.developer === developer) group.append(new Option(model.id));
  }
  return group;
}

function updateThinkingChoice() {
  const model = models.find(({ id }) => id === $('model').value);
  $('thinking').disabled = !model?.takes_budget;
  $('thinking').title = $('thinking').disabled ? 'This model takes no thinking budget.' : '';
}

function saveChoices() {
  updateThinkingChoice();
  storage.saveChoices({ model: $('model').value, thinking: $('thinking').value });
}

$('model').addEventListener('change', saveChoices);
$('thinking').addEventListener('change', saveChoices);

// --- reloads -------------------------------------------------------------------------------------

let isRestored = false; // before that, saving would overwrite what is stored

function saveConversation() {
  if (!isRestored) return;
  storage.saveConversation({ draft: $('question').value, turns: turns.map(storedDataOf), undo });
}

function restoreConversation() {
  const saved = storage.loadConversation();
  saved.turns.forEach(restoreAndAdd);
  // An answer that still streams is requested from its first frame.
  if (activeTurn()) activeTurn().data.lastFrame = 0;
  $('question').value = saved.draft;
  $('thinking').value = storage.loadChoices().thinking ?? $('thinking').value;
  fitQuestionHeight();
  isRestored = true;
  offerUndo(saved.undo);
  updatePage(null);
  pageEnd.start();
}

function restoreAndAdd(data, index, all) {
  addTurn(restoreTurn(trackPage, data, index === all.length - 1));
}

addEventListener('pagehide', saveConversation);

restoreConversation();
if (matchMedia('(hover: hover)').matches) $('question').focus();
