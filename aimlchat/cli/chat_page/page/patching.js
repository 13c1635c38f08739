'use strict';
// Changes the content of an element into another one, and keeps every node that stays the same. So
// a growing block keeps its selection, its focus and its scroll position.

function patchChildren(element, fresh) {
  let child = element.firstChild;
  for (const next of [...fresh.childNodes]) {
    const following = child?.nextSibling ?? null;
    if (!child) element.append(next);
    else if (isSameKind(child, next)) patchNode(child, next);
    else child.replaceWith(next);
    child = following;
  }
  while (child) {
    const following = child.nextSibling;
    child.remove();
    child = following;
  }
}

function patchNode(node, fresh) {
  if (node.nodeType === Node.TEXT_NODE) return patchText(node, fresh.data);
  if (node.isEqualNode(fresh) || node.nodeName === 'BUTTON') return; // a button may say "Copied"
  patchAttributes(node, fresh);
  patchChildren(node, fresh);
}

// A selection survives an addition to its text, but not a change of the whole text.
function patchText(node, data) {
  if (data.startsWith(node.data)) node.appendData(data.slice(node.length));
  else node.data = data;
}

function patchAttributes(node, fresh) {
  for (const name of node.getAttributeNames()) {
    if (!fresh.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (name !== 'style' && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}

// Formulas are replaced as a whole, because the policy of the page forbids style attributes.
function isSameKind(node, fresh) {
  return node.nodeName === fresh.nodeName && node.nodeName !== 'math';
}
