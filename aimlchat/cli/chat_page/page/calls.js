'use strict';
// The calls of tools: what the model requested, and what came of it.

const CALL_NOTES = {
  requested: 'is requested', running: 'runs', done: 'is done', failed: 'has failed',
};
// Pictures in a result whose data is in it, so that showing them loads nothing.
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);/;
const CALL_FIELDS = ['name', 'input', 'output', 'state'];
const MAX_SHOWN_LENGTH = 20_000; // in characters

// Applies a frame to a list of calls; returns whether it was one about a call. A call is plain data:
//   id, name
//   input          its arguments: as text until they are whole
//   output         its result, or the text of an error; null until it has one
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
      Object.assign(call, { input: frame.input, state: 'running' });
      return true;
    case 'tool-input-error': // what there is of its arguments is no value
      Object.assign(call, { input: frame.input, output: frame.errorText, state: 'failed' });
      call.isInputBroken = true;
      return true;
    case 'tool-output-available':
      Object.assign(call, { output: frame.output, state: 'done' });
      return true;
    case 'tool-output-error':
      Object.assign(call, { output: frame.errorText, state: 'failed' });
      return true;
  }
  return false;
}

// A file is shown by its name, since its data is not for reading.
function formatValue(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, cutFileData, 2);
}

function cutFileData(key, value) {
  const isFile = key === 'url' && typeof value === 'string' && value.startsWith('data:');
  return isFile ? `${value.slice(0, 40)}…` : value;
}

const hasResult = ({ state }) => state === 'done' || state === 'failed';

// Shows the calls of a turn, each as an element that opens.
class CallsView {
  constructor(element) {
    this.element = element;
    this.items = [];
    this.shown = []; // what the items show
  }

  show(calls) {
    this.element.hidden = !calls.length;
    while (this.items.length > calls.length) this.items.pop().remove();
    calls.forEach((call, index) => {
      if (this.items.length === index) this.items.push(this.add());
      const shown = this.shown[index];
      if (shown && CALL_FIELDS.every(name => shown[name] === call[name])) return;
      this.render(this.items[index], call);
      this.shown[index] = { ...call };
    });
    this.shown.length = calls.length;
  }

  add() {
    const item = document.getElementById('call').content.cloneNode(true).firstElementChild;
    this.element.append(item);
    return item;
  }

  render(item, call) {
    const { name, input, output, state } = call;
    const find = selector => item.querySelector(selector);
    item.dataset.call = state;
    find('.call-name').textContent = name;
    find('.call-state').textContent = CALL_NOTES[state];
    setOptionalText(find('.call-input'), cutValue(formatValue(input)));
    setOptionalText(find('.call-output'), hasResult(call) ? cutValue(formatValue(output)) : '');
    find('.call-output-title').hidden = !hasResult(call);
    find('.call-output-title').textContent = state === 'failed' ? 'Error' : 'Result';
    const pictures = hasResult(call) ? listPictures(output) : [];
    find('.call-pictures').hidden = !pictures.length;
    find('.call-pictures').replaceChildren(...pictures.map(url => {
      const image = document.createElement('img');
      return Object.assign(image, { src: url, alt: `Picture in the result of ${name}` });
    }));
  }
}

function listPictures(output) {
  const urls = Array.isArray(output) ? output.map(part => part?.url) : [];
  return urls.filter(url => typeof url === 'string' && PICTURE.test(url));
}

function cutValue(text) {
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}
