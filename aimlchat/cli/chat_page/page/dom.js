'use strict';

const $ = id => document.getElementById(id);

const RIGHT_TO_LEFT = /[\p{sc=Adlm}\p{sc=Arab}\p{sc=Hebr}\p{sc=Mand}\p{sc=Nkoo}\p{sc=Rohg}\p{sc=Samr}\p{sc=Syrc}\p{sc=Thaa}]/u;

// Returns the direction of the first letter of a text.
function findDirection(text) {
  const letter = /\p{L}/u.exec(text)?.[0] ?? '';
  return RIGHT_TO_LEFT.test(letter) ? 'rtl' : 'ltr';
}

// An input method for Chinese, Japanese or Korean takes Enter and Escape for itself. Safari ends the
// composition before it reports the key, which then has the code 229.
function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}
