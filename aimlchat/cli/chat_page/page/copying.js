'use strict';
// Copying: a button says that its text was copied, and so does a screen reader. A selection with
// formulas is copied with their source.

// How long a button says so, in ms.
const COPIED_TIME = 1500;

// Copies a text, and shows in the button whether the browser allowed that.
async function copyText(text, button) {
  const result = await writeClipboard(text);
  button.dataset.name ??= button.ariaLabel ?? '';
  button.textContent = result;
  // The name of a button that is read aloud has to contain what the button shows.
  button.ariaLabel = result;
  announce(`${result}.`);
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => {
    button.textContent = 'Copy';
    if (button.dataset.name) button.ariaLabel = button.dataset.name;
    else button.removeAttribute('aria-label');
  }, COPIED_TIME);
}

async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    return 'Not allowed';
  }
}

// The buttons of code blocks. The code is read when it is copied, because it may grow until then.
document.addEventListener('click', ({ target }) => {
  const button = target.closest?.('.copy-code');
  if (button) copyText(button.closest('.code').querySelector('pre').textContent, button);
});

// Returns the text of the first blocks of a rendered answer, with the source of its formulas; at
// least some number of characters if it has so many.
function readRenderedText(element, length) {
  const copy = document.createElement('div');
  let copied = 0;
  for (const block of element.querySelectorAll(':scope > .blocks > div')) {
    if (copied >= length) break;
    copied += block.textContent.length;
    copy.append(block.cloneNode(true));
  }
  for (const bar of copy.querySelectorAll('.code-bar')) bar.remove();
  showFormulaSources(copy);
  return copy.textContent;
}

// Replaces each formula by its source. A formula that is only partly in the selection is whole.
function showFormulaSources(root) {
  for (const formula of root.querySelectorAll('math')) {
    formula.replaceWith(formula.getAttribute('alttext'));
  }
}

document.addEventListener('copy', event => {
  const selection = getSelection();
  if (selection.isCollapsed || !event.target.closest?.('.prose')) return;
  const range = selection.getRangeAt(0).cloneRange();
  const findFormula = node => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)
    .closest('.math');
  const first = findFormula(range.startContainer);
  const last = findFormula(range.endContainer);
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copy = document.createElement('div');
  copy.append(range.cloneContents());
  if (!copy.querySelector('math')) return;
  showFormulaSources(copy);
  // The line breaks of a text depend on how it is laid out.
  copy.className = 'off-screen prose';
  document.body.append(copy);
  event.clipboardData.setData('text/plain', copy.innerText);
  event.clipboardData.setData('text/html', copy.innerHTML);
  copy.remove();
  event.preventDefault();
});
