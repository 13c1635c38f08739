'use strict';
// The choice of the model, and of how it thinks.

const BUDGETS = [1024, 2048, 4096, 8192, 16384, 32768]; // in tokens
const DEFAULT_BUDGET = '2048';

let models = [];

const modelPicker = new Combobox({
  field: $('model'),
  toggle: $('model-toggle'),
  popup: $('model-popup'),
  list: $('model-list'),
  onPick: async id => {
    saveChoices({ model: id });
    if (!models.some(model => model.id === id)) await loadModels();
    updateModel();
  },
  onFilter: count => announce(count === 1 ? '1 model' : `${count || 'No'} models`),
});

const selectedModel = () => models.find(({ id }) => id === modelPicker.value);

// Returns whether the list has come.
async function loadModels() {
  const wanted = modelPicker.value || loadChoices().model || '';
  const reply = await fetchJson(`models?${new URLSearchParams({ id: wanted })}`);
  const { models: listed, default_model: defaultModel, emulator, error } = reply;
  showModelsProblem(error);
  if (!listed) return false;
  models = listed;
  modelPicker.setOptions(models.map(model => ({
    value: model.id,
    label: model.id,
    facts: describeFacts(model),
    names: [model.name, model.developer, ...model.aliases],
  })));
  $('model-note').textContent = error ? 'Without the list, type the id of a model.' : 'Prices in US dollars for a million tokens';
  $('emulator').hidden = !emulator;
  // A model may have been picked meanwhile.
  modelPicker.value ||= wanted || defaultModel;
  updateModel();
  return !error;
}

function describeFacts({ input_price: input, output_price: output, context_length: context, has_vision: hasVision }) {
  const prices = [input != null && `${formatPrice(input)} in`, output != null && `${formatPrice(output)} out`];
  const facts = [
    prices.filter(Boolean).join(', '),
    context && `${formatTokens(context)} context`,
    hasVision && 'vision',
  ];
  return facts.filter(Boolean).join(' · ');
}

// Two decimals, or more where these would round the price.
function formatPrice(price) {
  return `$${Number(price.toFixed(2)) === price ? price.toFixed(2) : price}`;
}

function formatTokens(count) {
  if (count < 1000) return String(count);
  if (count < 999500) return `${Math.round(count / 1000)}k`;
  return `${Number((count / 1e6).toFixed(1))}M`;
}

// Offers what the model takes, and shows what it costs.
function updateModel() {
  const model = selectedModel();
  const options = listThinkingOptions(model);
  $('thinking').replaceChildren(...options);
  $('thinking').hidden = options.length < 2;
  $('thinking').value = chooseThinking(loadChoices().thinking);
  $('model').title = [model?.id, model && describeFacts(model)].filter(Boolean).join('\n');
  updateSettings();
}

function listThinkingOptions({ thinking = [], efforts = [], max_output: maxOutput } = {}) {
  const hasOff = thinking.includes('off');
  const defaultLabels = hasOff ? 'Default thinking' : thinking.length ? 'No thinking' : 'Default effort';
  const options = [new Option(defaultLabels, '')];
  if (hasOff) options.push(new Option('No thinking', 'off'));
  if (thinking.includes('adaptive')) options.push(new Option('Adaptive thinking', 'adaptive'));
  if (thinking.includes('budget')) {
    const budgets = BUDGETS.filter(budget => !maxOutput || budget < maxOutput);
    options.push(...budgets.map(budget => new Option(`Think ${budget / 1024}k tokens`, budget)));
  }
  const labels = { low: 'Low effort', medium: 'Medium effort', high: 'High effort' };
  return [...options, ...efforts.map(effort => new Option(labels[effort] ?? effort, effort))];
}

// Returns the remembered choice if the model has it; otherwise a model that thinks may think.
function chooseThinking(remembered = DEFAULT_BUDGET) {
  const offered = [...$('thinking').options].map(option => option.value);
  const isThought = remembered === 'adaptive' || Number(remembered) > 0;
  const wanted = isThought ? [remembered, 'adaptive', DEFAULT_BUDGET] : [remembered];
  return wanted.find(value => offered.includes(value)) ?? '';
}

// The fields of the request that the choice of thinking stands for.
function thinkingFields() {
  const value = $('thinking').value;
  const isEffort = selectedModel()?.efforts.includes(value) ?? false;
  const thinking = { '': null, off: false, adaptive: 'adaptive' }[value];
  return {
    thinking: isEffort ? null : thinking === undefined ? Number(value) : thinking,
    reasoning_effort: isEffort ? value : null,
  };
}

$('thinking').addEventListener('change', () => {
  saveChoices({ thinking: $('thinking').value });
  updateSettings();
});

// What the page remembers of the choices; where the browser denies the storage, until it is left.
const loadChoices = () => ({ ...storage.loadChoices(), ...changedChoices });

let changedChoices = {};

function saveChoices(changes) {
  changedChoices = { ...changedChoices, ...changes };
  storage.saveChoices(loadChoices());
}
