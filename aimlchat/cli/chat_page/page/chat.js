'use strict';
// The page: the conversation, which is kept in the page and sent to the server with each question.

const CONVERSATION_KEY = 'aimlchat.conversation'; // in the session storage of this tab
const MAX_ANNOUNCED_LENGTH = 1000;

let turns = [];
let isStopping = false;

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
    $('disconnected').hidden = false;
    scrollToEnd();
  },
  isFrameExpected: () => activeTurn() !== null,
});

// --- asking and stopping -------------------------------------------------------------------------

function ask(question, files = []) {
  const turn = new Turn(scrollToEnd, { question, files, ...readChoices() });
  // Until the first frame, the server may not have received the question, so a new connection
  // sends it again.
  turn.isUnconfirmed = true;
  addTurn(turn);
  connection.send(buildAskMessage(turn));
  updatePage(turn);
  startFollowing();
}

// What the user chose for the next answer, and its id.
function readChoices() {
  const { model, ...options } = requestOptions();
  return { answerId: crypto.randomUUID(), model, options };
}

function buildAskMessage({ data }) {
  const { answerId, question, files, model, options } = data;
  const earlierTurns = turns.slice(0, -1).map(turn => ({
    question: turn.data.question,
    answer: turn.data.answer,
    files: turn.data.answer ? packFiles(turn.data.files) : [],
  }));
  const packed = packFiles(files);
  return {
    type: 'ask', answer_id: answerId, question, files: packed, model, ...options, turns: earlierTurns,
  };
}

function stop() {
  if (!activeTurn() || isStopping) return;
  isStopping = true;
  if (document.activeElement === $('stop')) $('question').focus();
  $('stop').disabled = true;
  connection.send({ type: 'stop' });
}

function retry(turn) {
  if (activeTurn()) return;
  turns.splice(turns.indexOf(turn), 1);
  turn.element.remove();
  ask(turn.data.question, turn.data.files);
  $('question').focus();
}

function addTurn(turn) {
  turns.push(turn);
  turn.find('.retry').addEventListener('click', () => retry(turn));
  $('turns').append(turn.element);
}

function startNewChat() {
  turns = [];
  connection.reopen();
  $('turns').replaceChildren();
  updatePage(null);
  checkRequest();
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

// --- scrolling: the page follows the answer until the user scrolls up ----------------------------

let isFollowing = true;
let lastScrollY = 0;

function scrollToEnd() {
  if (isFollowing) scrollTo(0, document.documentElement.scrollHeight);
  $('latest').hidden = isFollowing || !activeTurn();
}

function startFollowing() {
  isFollowing = true;
  scrollToEnd();
}

addEventListener('scroll', () => {
  const distanceToEnd = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (distanceToEnd < 60) isFollowing = true;
  else if (scrollY < lastScrollY) isFollowing = false; // only a user scrolls up
  lastScrollY = scrollY;
  $('latest').hidden = isFollowing || !activeTurn();
}, { passive: true });

setInterval(() => {
  if (activeTurn()?.data.state === 'thinking') activeTurn().renderThinkingTime();
}, 1000);

// --- keys and buttons ----------------------------------------------------------------------------

addEventListener('keydown', event => {
  const isForPage = !isComposing(event) && event.target.tagName !== 'SELECT' && !$('settings').open;
  if (event.key === 'Escape' && isForPage) stop();
});
$('stop').addEventListener('click', stop);
$('new').addEventListener('click', startNewChat);
$('latest').addEventListener('click', () => {
  startFollowing();
  $('question').focus();
});

// --- reloads -------------------------------------------------------------------------------------

function saveConversation() {
  const { files } = composerFiles;
  const conversation = { draft: $('question').value, files, turns: turns.map(turn => turn.data) };
  try {
    sessionStorage.setItem(CONVERSATION_KEY, JSON.stringify(conversation));
  } catch (error) {
    console.warn('The conversation is too long to survive a reload.', error);
  }
}

function restoreConversation() {
  const saved = JSON.parse(sessionStorage.getItem(CONVERSATION_KEY) ?? '{}');
  for (const data of saved.turns ?? []) addTurn(new Turn(scrollToEnd, data));
  // An answer that still streams is requested from its first frame.
  if (activeTurn()) activeTurn().data.lastFrame = 0;
  $('question').value = saved.draft ?? '';
  composerFiles.set(saved.files ?? []);
  restoreFiles();
  fitQuestionHeight();
  updatePage(null);
  scrollToEnd();
}

async function restoreFiles() {
  const files = [...turns.flatMap(turn => turn.data.files), ...composerFiles.files];
  await fileStore.restore(files.map(file => file.id));
  if (!files.some(file => fileStore.isLost(file.id))) return;
  for (const turn of turns) renderFiles(turn.find('.files'), turn.data.files);
  composerFiles.set(composerFiles.files);
}

addEventListener('pagehide', saveConversation);

restoreConversation();
if (matchMedia('(hover: hover)').matches) $('question').focus();
