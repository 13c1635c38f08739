'use strict';
// The page: the conversation, which is kept in the page and sent to the server with each question.

const MAX_ANNOUNCED_LENGTH = 1000;

let turns = [];
let isStopping = false;

const pageEnd = new EndFollower(document.scrollingElement, updateLatest);
const trackPage = change => pageEnd.track(change);
renderingQueue.track = trackPage;
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
    modelList.start();
    const turn = activeTurn();
    connection.send(helloMessage(turn && turn.data.answerId));
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
    else if (isWaitNotice(frame)) announce(describeNotice(turn.waitingView.notice));
  },
  onLoss: () => {
    if ($('disconnected').hidden) announce($('disconnected').textContent);
    trackPage(() => { $('disconnected').hidden = false; });
  },
  isFrameExpected: () => activeTurn() !== null,
});

// --- asking and stopping -------------------------------------------------------------------------

function ask(question, files = []) {
  const turn = new Turn(trackPage, { question, files, ...readChoices() });
  addTurn(turn);
  startAnswer(turn);
}

function startAnswer(turn) {
  // Until the first frame, the server may not have received the question, so a new connection
  // sends it again.
  turn.isUnconfirmed = true;
  turn.waitingView.begin();
  turn.render();
  connection.send(buildAskMessage(turn));
  updatePage(turn);
  pageEnd.start();
}

// What the user chose for the next answer, and its id.
function readChoices() {
  const { model, ...options } = requestOptions();
  return { answerId: crypto.randomUUID(), model, options };
}

function buildAskMessage({ data }) {
  const { answerId, question, files, model, options, before } = data;
  const earlierTurns = turns.slice(0, -1).map(turn => ({
    question: turn.data.question,
    answer: turn.data.answer,
    message: buildMessage(turn.data),
    files: isSentBack(turn.data) ? packFiles(turn.data.files) : [],
  }));
  const cut = before && {
    answer: before.texts.answer,
    message: buildMessage({ ...before, answer: before.texts.answer }),
    last_words: findLastWords(before.texts.answer),
  };
  const packed = packFiles(files);
  return {
    type: 'ask', answer_id: answerId, question, files: packed, model, ...options, cut,
    turns: earlierTurns,
  };
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
  checkRequest();
}

function startNewChat() {
  replaceTurns([], 'This is a new chat.');
  $('question').focus();
}

// Asks an edited question; it replaces its turn, and the turns after it are removed.
function askInstead(turn, question) {
  const index = turns.indexOf(turn);
  const count = turns.length - index - 1;
  const gone = ['', 'The turn after it is gone.'][count] ?? `The ${count} turns after it are gone.`;
  replaceTurns(turns.slice(0, index).map(storedDataOf), `The question was edited. ${gone}`.trim());
  ask(question, turn.data.files);
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
  const text = readRenderedText(answerView.element, MAX_ANNOUNCED_LENGTH + 1);
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

setInterval(() => activeTurn()?.renderTimes(), 1000);

new ResizeObserver(() => pageEnd.onResize()).observe($('composer'));

// --- keys and buttons ----------------------------------------------------------------------------

addEventListener('keydown', event => {
  const isForPage = !isComposing(event) && event.target.tagName !== 'SELECT' && !$('settings').open;
  if (event.key === 'Escape' && isForPage) stop();
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

// --- reloads -------------------------------------------------------------------------------------

let isRestored = false; // before that, saving would overwrite what is stored

function saveConversation() {
  if (!isRestored) return;
  const { files } = composerFiles;
  const draft = $('question').value;
  const top = pageEnd.isFollowing ? null : pageEnd.restoredTop ?? pageEnd.top;
  storage.saveConversation({ draft, files, turns: turns.map(storedDataOf), undo, top });
}

function restoreConversation() {
  restoreSettings();
  const saved = storage.loadConversation();
  saved.turns.forEach(restoreAndAdd);
  // An answer that still streams is requested from its first frame.
  if (activeTurn()) activeTurn().data.lastFrame = 0;
  setDirection($('question'), saved.draft);
  $('question').value = saved.draft;
  composerFiles.set(saved.files);
  fitBox($('question'));
  isRestored = true;
  offerUndo(saved.undo);
  restoreFiles();
  updatePage(null);
  if (saved.top === null) pageEnd.start();
  else pageEnd.restore(saved.top);
}

function restoreAndAdd(data, index, all) {
  addTurn(restoreTurn(trackPage, data, index === all.length - 1));
}

async function restoreFiles() {
  const ofTurns = [...turns.map(turn => turn.data), ...undo?.turns ?? []];
  const files = [...ofTurns.flatMap(data => data?.files ?? []), ...composerFiles.files];
  await fileStore.restore(files.map(file => file.id));
  if (!files.some(file => fileStore.isLost(file.id))) return;
  for (const turn of turns) renderFiles(turn.find('.files'), turn.data.files);
  composerFiles.set(composerFiles.files);
}

addEventListener('pagehide', saveConversation);
history.scrollRestoration = 'manual'; // the browser does it before the page is as long as it was
reportLeaving(connection);

restoreConversation();
if (matchMedia('(hover: hover)').matches) $('question').focus();
