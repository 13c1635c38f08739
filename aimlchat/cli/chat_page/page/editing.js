'use strict';
// Editing a question where it stands.

// Shows a form instead of a question. `onSave` is called with the new text; the caller then removes
// the turn. Nothing else happens to the turn, so that a canceled form leaves no trace.
function editQuestion(turn, onSave) {
  const question = turn.find('.question');
  const form = document.getElementById('edit').content.cloneNode(true).firstElementChild;
  const box = form.querySelector('textarea');
  const close = () => {
    form.remove();
    question.hidden = !turn.data.question;
    turn.find('.edit').hidden = false;
    turn.find('.edit').focus();
  };
  setDirection(box, turn.data.question);
  box.value = turn.data.question;
  box.addEventListener('input', () => turn.track(() => fitBox(box)));
  box.addEventListener('keydown', event => {
    if (isComposing(event)) return; // an input method uses these keys, too
    if (event.key === 'Escape') {
      event.stopPropagation(); // on the page, this key stops an answer
      close();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.querySelector('.cancel').addEventListener('click', close);
  form.addEventListener('submit', event => {
    event.preventDefault();
    const text = box.value.trim();
    if (text || turn.data.files.length) onSave(text);
  });
  question.hidden = true;
  turn.find('.edit').hidden = true;
  question.after(form);
  turn.track(() => fitBox(box));
  box.focus();
}
