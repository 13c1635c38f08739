'use strict';
// The box in which a question is written: its keys, and files by paste, drop and button.

const MAX_SHORT_LENGTH = 10000; // of a text that the browser may measure at each change
const NEEDS_MEASURING = !CSS.supports('field-sizing', 'content');

let isSubmitting = false;

// Fits the height and the direction of the box of a question to its text.
function fitBox(box) {
  setDirection(box, box.value);
  if (!NEEDS_MEASURING) return;
  box.style.height = box.value.length > MAX_SHORT_LENGTH ? '100vh' : 'auto'; // CSS has a maximum
  if (box.style.height === 'auto') box.style.height = `${box.scrollHeight}px`;
}

// With dir="auto" Chromium takes seconds for a megabyte, so a long text goes by its first letter.
function setDirection(element, text) {
  element.dir = text.length > MAX_SHORT_LENGTH ? findDirection(text.slice(0, MAX_SHORT_LENGTH)) : 'auto';
}

document.addEventListener('beforeinput', event => {
  const added = event.data ?? event.dataTransfer?.getData('text/plain') ?? '';
  if (added.length > MAX_SHORT_LENGTH) setDirection(event.target, event.target.value + added);
});

async function submit() {
  const hasContent = () => $('question').value.trim() || composerFiles.files.length;
  if (!hasContent() || activeTurn() || isSubmitting) return;
  isSubmitting = true;
  await waitForCheck();
  isSubmitting = false;
  if (!hasContent() || activeTurn()) return;
  const found = findProblem();
  if (found) showProblem(found);
  if (problem) return goToProblem();
  const question = $('question').value.trim();
  const { files } = composerFiles;
  $('question').value = '';
  trackPage(() => fitBox($('question')));
  offerUndo(null);
  composerFiles.set([]);
  $('file-error').hidden = true;
  ask(question, files);
}

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  submit();
});
$('question').addEventListener('input', event => trackPage(() => fitBox(event.target)));
$('question').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return;
  event.preventDefault();
  submit();
});

// --- files ----------------------------------------------------------------------------------------

$('attach').addEventListener('click', () => $('file-input').click());
$('file-input').addEventListener('change', () => {
  composerFiles.add([...$('file-input').files]);
  $('file-input').value = ''; // so that the same file can be chosen again
});

document.addEventListener('paste', event => {
  const { files, types } = event.clipboardData;
  // An office program copies its text with a picture of it.
  const isRichText = types.includes('text/plain') && types.includes('text/html');
  if (!files.length || isRichText) return;
  event.preventDefault();
  composerFiles.add([...files]);
});

// A file that is dropped beside the box would open instead of the page, and so would a link.
const isFileDrag = event => event.dataTransfer.types.includes('Files');
const isDropOfText = event => !isFileDrag(event) && event.target.matches?.('textarea, input');

for (const type of ['dragenter', 'dragover']) {
  addEventListener(type, event => {
    if (isDropOfText(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = isFileDrag(event) ? 'copy' : 'none';
    document.body.classList.toggle('is-dropping', isFileDrag(event));
  });
}
addEventListener('dragleave', event => {
  if (!event.relatedTarget) document.body.classList.remove('is-dropping'); // left the window
});
addEventListener('drop', event => {
  document.body.classList.remove('is-dropping');
  if (isDropOfText(event)) return;
  event.preventDefault();
  if (isFileDrag(event)) composerFiles.add([...event.dataTransfer.files]);
});
