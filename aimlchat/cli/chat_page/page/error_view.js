'use strict';
// An error below an answer: the server's own words, facts to look it up, and what to do.

function showError(turnElement, { state, note, errorDetail }) {
  const box = turnElement.querySelector('.error');
  box.hidden = state !== 'failed';
  if (box.hidden) return;
  box.querySelector('.error-message').textContent = note;
  setOptionalText(box.querySelector('.error-advice'), errorDetail?.advice ?? '');
  const facts = (errorDetail?.facts ?? []).join(' · ');
  setOptionalText(box.querySelector('.error-facts'), facts.charAt(0).toUpperCase() + facts.slice(1));
}
