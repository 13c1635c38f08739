'use strict';
// The conversation: it lives in this page and goes to the server with each question.

const $ = id => document.getElementById(id);
const CONVERSATION = 'aimlchat.conversation'; // this tab's
const CHOICES = 'aimlchat.choices'; // everybody's
const LONGEST_SPOKEN = 1000;

let turns = [];
let isStopping = false;
let offered = []; // the models
let isListed = false;

const current = () => (turns.length && !turns.at(-1).isOver ? turns.at(-1) : null);

const line = new Line('talk', {
  opened: () => {
    if (!$('line').hidden) say('Connected again.');
    $('line').hidden = true;
    if (!isListed) loadModels();
    const turn = current();
    if (!turn) return;
    line.say(turn.isUnheard ? order(turn) : { type: 'follow', name: turn.facts.name, after: turn.facts.seen });
    if (isStopping) line.say({ type: 'stop' });
  },
  heard: frame => {
    const turn = current();
    if (!turn) return;
    const before = turn.facts.state;
    turn.isUnheard = false;
    turn.take(frame);
    if (turn.facts.state !== before) changed(turn);
  },
  lost: () => {
    if ($('line').hidden) say($('line').textContent);
    $('line').hidden = false;
    keepUp();
  },
  isAwaited: () => current() !== null,
});

// --- asking and stopping -------------------------------------------------------------------------

function ask(question) {
  const turn = new Turn(keepUp, {
    name: crypto.randomUUID(),
    question,
    model: $('model').value || null,
    thinking: $('thinking').disabled ? null : Number($('thinking').value) || null,
  });
  turn.isUnheard = true; // the server may not have heard of it yet: it can be asked again
  add(turn);
  line.say(order(turn));
  changed(turn);
  follow();
}

function order({ facts }) {
  const before = turns.slice(0, -1).map(({ facts: { question, answer } }) => ({ question, answer }));
  const { name, question, model, thinking } = facts;
  return { type: 'ask', name, question, model, thinking, turns: before };
}

function stop() {
  if (!current() || isStopping) return;
  isStopping = true;
  if (document.activeElement === $('stop')) $('question').focus();
  $('stop').disabled = true;
  line.say({ type: 'stop' });
}

function again(turn) {
  if (current()) return;
  turns.splice(turns.indexOf(turn), 1);
  turn.node.remove();
  ask(turn.facts.question);
  $('question').focus();
}

function add(turn) {
  turns.push(turn);
  turn.find('.again').addEventListener('click', () => again(turn));
  $('turns').append(turn.node);
}

function startAnew() {
  turns = [];
  line.renew();
  $('turns').replaceChildren();
  changed(null);
  $('question').focus();
}

// --- states --------------------------------------------------------------------------------------

function changed(turn) {
  const isBusy = current() !== null;
  const hadFocus = document.activeElement === $('stop') || document.activeElement === $('send');
  if (!isBusy) isStopping = false;
  $('empty').hidden = turns.length > 0;
  $('new').disabled = turns.length === 0;
  $('send').hidden = isBusy;
  $('stop').hidden = !isBusy;
  $('stop').disabled = isStopping;
  if (hadFocus) $('question').focus(); // a button that vanishes would take the focus with it
  if (turn) announce(turn);
  save();
}

// A screen reader hears of each state once, and of the answer when it is whole.
function announce({ facts, answer }) {
  const spoken = answer.home.cloneNode(true);
  for (const bar of spoken.querySelectorAll('.bar')) bar.remove();
  const text = spoken.textContent;
  const isLong = text.length > LONGEST_SPOKEN;
  const said = {
    waiting: 'Sent.',
    thinking: 'The model thinks.',
    answering: 'The model answers.',
    done: `${facts.note} ${text.slice(0, LONGEST_SPOKEN)} ${isLong ? 'The rest is on the page.' : ''}`,
    stopped: 'Stopped.',
    failed: facts.note,
  };
  say(said[facts.state].trim());
}

function say(text) {
  $('said').textContent = text;
}

// --- the end of the page in view, as long as its reader wants that ---------------------------------

let isFollowing = true;
let lastY = 0;

function keepUp() {
  if (isFollowing) scrollTo(0, document.documentElement.scrollHeight);
  $('latest').hidden = isFollowing || !current();
}

function follow() {
  isFollowing = true;
  keepUp();
}

addEventListener('scroll', () => {
  const below = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (below < 60) isFollowing = true;
  else if (scrollY < lastY) isFollowing = false; // only who scrolls up wants to stay
  lastY = scrollY;
  $('latest').hidden = isFollowing || !current();
}, { passive: true });

setInterval(() => {
  if (current()?.facts.state === 'thinking') current().paintClock();
}, 1000);

// --- the composer --------------------------------------------------------------------------------

function fit() {
  const box = $('question');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight}px`;
}

function submit() {
  const question = $('question').value.trim();
  if (!question || current()) return;
  $('question').value = '';
  fit();
  ask(question);
}

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  submit();
});
$('question').addEventListener('input', fit);
$('question').addEventListener('keydown', event => {
  // An Enter that ends the writing of a Chinese or Japanese word sends nothing.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
addEventListener('keydown', event => {
  if (event.key === 'Escape' && !event.isComposing && event.target.tagName !== 'SELECT') stop();
});
$('stop').addEventListener('click', stop);
$('new').addEventListener('click', startAnew);
$('latest').addEventListener('click', () => {
  follow();
  $('question').focus();
});

// --- models --------------------------------------------------------------------------------------

async function loadModels() {
  const response = await fetch('models');
  const { models, usual, emulator, problem } = await response.json();
  isListed = !problem;
  const wanted = $('model').value || choices().model || usual;
  const unknown = { id: wanted, developer: problem ?? 'Others', thinks: true };
  offered = models.some(({ id }) => id === wanted) ? models : [unknown, ...models];
  const developers = [...new Set(offered.map(({ developer }) => developer))];
  $('model').replaceChildren(...developers.map(group));
  $('model').value = wanted;
  $('emulator').hidden = !emulator;
  chosen();
}

function group(developer) {
  const node = document.createElement('optgroup');
  node.label = developer || 'Others';
  for (const model of offered) {
    if (model.developer === developer) node.append(new Option(model.id));
  }
  return node;
}

function chosen() {
  const model = offered.find(({ id }) => id === $('model').value);
  $('thinking').disabled = !model?.thinks;
  $('thinking').title = $('thinking').disabled ? 'This model takes no thinking budget.' : '';
}

function choices() {
  return JSON.parse(localStorage.getItem(CHOICES) ?? '{}');
}

function choose() {
  chosen();
  const taken = { model: $('model').value, thinking: $('thinking').value };
  localStorage.setItem(CHOICES, JSON.stringify(taken));
}

$('model').addEventListener('change', choose);
$('thinking').addEventListener('change', choose);

// --- over a reload -------------------------------------------------------------------------------

function save() {
  const draft = $('question').value;
  try {
    sessionStorage.setItem(CONVERSATION, JSON.stringify({ draft, turns: turns.map(turn => turn.facts) }));
  } catch (error) {
    console.warn('The conversation is too long to survive a reload.', error);
  }
}

function restore() {
  const { draft = '', turns: kept = [] } = JSON.parse(sessionStorage.getItem(CONVERSATION) ?? '{}');
  for (const facts of kept) add(new Turn(keepUp, facts));
  // An answer that still runs is shown from its beginning.
  if (current()) current().facts.seen = 0;
  $('question').value = draft;
  $('thinking').value = choices().thinking ?? $('thinking').value;
  fit();
  changed(null);
  keepUp();
}

addEventListener('pagehide', save);

restore();
if (matchMedia('(hover: hover)').matches) $('question').focus();
