'use strict';
// The calls of tools: what the model asked for, and what came of it.

const CALL_NOTES = {
  requested: 'is requested', running: 'runs', done: 'is done', failed: 'has failed',
};
const MAX_SHOWN_LENGTH = 20_000; // in characters

// Applies a frame to a list of calls; returns whether it was one about a call. A call is plain data:
//   id, name
//   input          its arguments, as text
//   output         its result as text, null until it has one
//   state          a key of CALL_NOTES
function applyToCalls(calls, frame) {
  const call = calls.findLast(({ id }) => id === frame.toolCallId);
  switch (frame.type) {
    case 'tool-input-start':
      calls.push({
        id: frame.toolCallId, name: frame.toolName, input: '', output: null, state: 'requested',
      });
      return true;
    case 'tool-input-delta':
      call.input += frame.inputTextDelta;
      return true;
    case 'tool-input-available':
      Object.assign(call, { input: formatValue(frame.input), state: 'running' });
      return true;
    case 'tool-input-error':
      Object.assign(call, { output: frame.errorText, state: 'failed' });
      return true;
    case 'tool-output-available':
      Object.assign(call, { output: formatValue(frame.output), state: 'done' });
      return true;
    case 'tool-output-error':
      Object.assign(call, { output: frame.errorText, state: 'failed' });
      return true;
  }
  return false;
}

// A file is shown by its name, since its data is not for reading.
function formatValue(value) {
  if (typeof value === 'string') return value;
  const withoutData = (key, item) => (
    key === 'url' && typeof item === 'string' && item.startsWith('data:') ? `${item.slice(0, 40)}…` : item
  );
  return JSON.stringify(value, withoutData, 2);
}

// Begins the text of the next round behind that of the one before.
function startNextText(data) {
  for (const name of ['reasoning', 'answer']) {
    if (data[name].trim()) data[name] = `${data[name].trimEnd()}\n\n`;
  }
}

// Shows the calls of a turn, each as an element that opens.
class CallsView {
  constructor(element) {
    this.element = element;
    this.items = [];
  }

  show(calls) {
    this.element.hidden = !calls.length;
    while (this.items.length > calls.length) this.items.pop().remove();
    calls.forEach((call, index) => {
      if (this.items.length === index) this.items.push(this.add());
      this.render(this.items[index], call);
    });
  }

  add() {
    const item = document.getElementById('call').content.cloneNode(true).firstElementChild;
    this.element.append(item);
    return item;
  }

  render(item, { name, input, output, state }) {
    const find = selector => item.querySelector(selector);
    item.dataset.call = state;
    find('.call-name').textContent = name;
    find('.call-state').textContent = CALL_NOTES[state];
    setOptionalText(find('.call-input'), cutValue(input));
    setOptionalText(find('.call-output'), cutValue(output ?? ''));
    find('.call-output-title').hidden = output === null;
    find('.call-output-title').textContent = state === 'failed' ? 'Error' : 'Result';
  }
}

function cutValue(text) {
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}
