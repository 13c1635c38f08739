'use strict';
// The page: the conversation, the composer and the choice of a model. The conversation is kept in
// the page and sent to the server with each question.

const $ = id => document.getElementById(id);
const CONVERSATION_KEY = 'aimlchat.conversation'; // in the session storage of this tab
const CHOICES_KEY = 'aimlchat.choices'; // in the local storage that all tabs share
const MAX_ANNOUNCED_LENGTH = 1000;

let turns = [];
let isStopping = false;
let models = [];
let hasLoadedModels = false;

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

function ask(question) {
  const turn = new Turn(scrollToEnd, {
    answerId: crypto.randomUUID(),
    question,
    model: $('model').value || null,
    thinking: $('thinking').disabled ? null : Number($('thinking').value) || null,
  });
  // Until the first frame, the server may not have received the question, so a new connection
  // sends it again.
  turn.isUnconfirmed = true;
  addTurn(turn);
  connection.send(buildAskMessage(turn));
  updatePage(turn);
  startFollowing();
}

function buildAskMessage({ data }) {
  const { answerId, question, model, thinking } = data;
  const earlierTurns = turns.slice(0, -1).map(turn => ({
    question: turn.data.question,
    answer: turn.data.answer,
  }));
  return { type: 'ask', answer_id: answerId, question, model, thinking, turns: earlierTurns };
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
  ask(turn.data.question);
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
  const text = readRenderedText(answerView.element);
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
  fitQuestionHeight();
  ask(question);
}

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  submit();
});
$('question').addEventListener('input', fitQuestionHeight);
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
  startFollowing();
  $('question').focus();
});

// --- models --------------------------------------------------------------------------------------

async function loadModels() {
  const response = await fetch('models');
  const { models: listed, default_model: defaultModel, emulator, error } = await response.json();
  hasLoadedModels = !error;
  const selected = $('model').value || loadChoices().model || defaultModel;
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

function loadChoices() {
  return JSON.parse(localStorage.getItem(CHOICES_KEY) ?? '{}');
}

function saveChoices() {
  updateThinkingChoice();
  const choices = { model: $('model').value, thinking: $('thinking').value };
  localStorage.setItem(CHOICES_KEY, JSON.stringify(choices));
}

$('model').addEventListener('change', saveChoices);
$('thinking').addEventListener('change', saveChoices);

// --- reloads -------------------------------------------------------------------------------------

function saveConversation() {
  const conversation = { draft: $('question').value, turns: turns.map(turn => turn.data) };
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
  $('thinking').value = loadChoices().thinking ?? $('thinking').value;
  fitQuestionHeight();
  updatePage(null);
  scrollToEnd();
}

addEventListener('pagehide', saveConversation);

restoreConversation();
if (matchMedia('(hover: hover)').matches) $('question').focus();
