'use strict';
// The system prompt, the temperature and the token limit, and the check of all that is sent.

const CHECK_DELAY = 150; // in ms after the last change
const CHECK_TIMEOUT = 2000; // in ms; then the question is sent unchecked

// The elements that belong to a field of the request, by the names of `ChatRequest`.
const SETTING_FIELDS = {
  system: 'system', temperature: 'temperature', max_tokens: 'max-tokens',
};

// What keeps the next question from being sent: `{ field, message }`, or null.
let problem = null;
let pendingCheck = null;
let beginCheck = () => {}; // without waiting for further changes
let checkNumber = 0;

function readNumber(id) {
  const text = $(id).value.trim().replace(',', '.');
  return text ? Number(text) : null;
}

const isThinking = () => {
  const { thinking } = thinkingFields();
  return thinking !== null && thinking !== false;
};

// Why the model takes no temperature now; '' if it takes one.
function explainNoTemperature() {
  const model = selectedModel();
  if (model && model.max_temperature === null) return `${model.id} takes no temperature.`;
  if (isThinking()) return 'A model that thinks takes no temperature. To set one, choose no thinking.';
  return '';
}

const maxTemperature = () => selectedModel()?.max_temperature ?? 2;

// The fields of the next request, named as in `ChatRequest`.
function requestOptions() {
  return {
    model: modelPicker.value || null,
    ...thinkingFields(),
    system: $('system').value.trim() ? $('system').value : null,
    temperature: explainNoTemperature() ? null : readNumber('temperature'),
    max_tokens: readNumber('max-tokens'),
  };
}

// Updates the panel and the line that shows what is set, and checks the request.
function updateSettings() {
  const model = selectedModel();
  const explanation = explainNoTemperature();
  $('temperature').disabled = Boolean(explanation);
  $('temperature-hint').textContent = explanation
    || `0 to ${maxTemperature()}. Lower is more predictable.`;
  $('max-tokens-hint').textContent = model?.max_output
    ? `At most ${numberFormat.format(model.max_output)} for this model, thinking included.`
    : 'Thinking included.';
  const set = [
    $('system').value.trim() && `System prompt: ${$('system').value.trim().slice(0, 200)}`,
    $('temperature').value.trim() && `temperature ${$('temperature').value.trim()}${explanation && ' (not sent)'}`,
    $('max-tokens').value.trim() && `at most ${$('max-tokens').value.trim()} tokens`,
  ].filter(Boolean);
  $('settings-summary').textContent = set.join(' · ');
  $('settings-summary').hidden = !set.length;
  checkRequest();
}

// --- the check ------------------------------------------------------------------------------------

function checkRequest() {
  const number = checkNumber += 1;
  const found = findProblem();
  if (found) {
    pendingCheck = null;
    showProblem(found);
    return;
  }
  if (problem?.isLocal) showProblem(null);
  const isCurrent = () => number === checkNumber;
  const pause = new Promise(resolve => {
    beginCheck = resolve;
    setTimeout(resolve, CHECK_DELAY);
  });
  pendingCheck = pause.then(async () => {
    await fileStore.ready;
    const error = findProblem() ?? (isCurrent() ? await askServer() : null);
    if (isCurrent()) showProblem(error);
  });
}

async function askServer() {
  const kinds = new Set(composerFiles.files.map(file => file.kind));
  kinds.delete('text');
  const body = JSON.stringify({ ...requestOptions(), files: [...kinds] });
  try {
    const signal = AbortSignal.timeout(CHECK_TIMEOUT);
    const response = await fetch('check', { method: 'POST', body, signal });
    return (await response.json()).error;
  } catch {
    return null; // the server checks the question again
  }
}

// Waits until the last change has been checked.
async function waitForCheck() {
  let check;
  while (check !== pendingCheck) {
    check = pendingCheck;
    beginCheck();
    await check;
  }
}

// Finds what the page itself can tell.
function findProblem() {
  const found = findWrongNumber() ?? findLostFile() ?? findUnwantedFile();
  return found && { ...found, isLocal: true };
}

function findWrongNumber() {
  const { temperature, max_tokens: maxTokens } = requestOptions();
  const limit = maxTemperature();
  if (temperature !== null && !(temperature >= 0 && temperature <= limit)) {
    return { field: 'temperature', message: `Give a number from 0 to ${limit}` };
  }
  if (maxTokens !== null && !(Number.isInteger(maxTokens) && maxTokens > 0)) {
    return { field: 'max_tokens', message: 'Give a whole number of at least 1' };
  }
  return null;
}

function showProblem(found) {
  problem = found && { ...found, message: toSentence(found.message) };
  const element = problem && findField(problem.field);
  for (const id of Object.values(SETTING_FIELDS)) {
    const isWrong = element === id;
    $(id).ariaInvalid = isWrong ? 'true' : null;
    $(`${id}-error`).hidden = !isWrong;
    $(`${id}-error`).textContent = isWrong ? problem.message : '';
  }
  $('problem').hidden = !problem;
  const label = element && document.querySelector(`label[for="${element}"]`).textContent;
  $('problem').textContent = problem ? [label, problem.message].filter(Boolean).join(': ') : '';
}

// Returns the id of the element that a field of the request is shown in, if it is a setting.
function findField(field) {
  // The budget is chosen beside the message; the limit that it exceeds is set here.
  if (field === 'thinking.budget_tokens' && $('max-tokens').value.trim()) return 'max-tokens';
  return SETTING_FIELDS[field] ?? null;
}

function toSentence(message) {
  const startsWithWord = /^[a-z]+ /.test(message); // and not with the id of a model
  const text = startsWithWord ? message[0].toUpperCase() + message.slice(1) : message;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

// Shows the user where the problem is.
function goToProblem() {
  const id = findField(problem.field);
  if (id) openSettings($(id));
  announce($('problem').textContent);
}

// --- the panel ------------------------------------------------------------------------------------

function openSettings(field) {
  if (!$('settings').open) $('settings').showModal();
  field.focus();
}

function saveSettings() {
  const settings = Object.fromEntries(
    Object.values(SETTING_FIELDS).map(id => [id, $(id).value]).filter(([, value]) => value),
  );
  saveChoices({ settings });
  updateSettings();
}

function restoreSettings() {
  const { settings } = loadChoices();
  for (const id of Object.values(SETTING_FIELDS)) {
    $(id).value = typeof settings?.[id] === 'string' ? settings[id] : '';
  }
}

for (const id of Object.values(SETTING_FIELDS)) $(id).addEventListener('input', saveSettings);
$('open-settings').addEventListener('click', () => openSettings($('system')));
$('close-settings').addEventListener('click', () => $('settings').close());
$('clear-settings').addEventListener('click', () => {
  for (const id of Object.values(SETTING_FIELDS)) $(id).value = '';
  saveSettings();
  $('system').focus();
});
// A click beside the panel closes it; inside, the target is one of its elements.
$('settings').addEventListener('click', event => {
  if (event.target === $('settings')) $('settings').close();
});
$('settings').addEventListener('close', () => $('question').focus());
