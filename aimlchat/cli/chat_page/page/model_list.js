'use strict';
// The list of models is loaded until that succeeds; a message says what is wrong meanwhile.

const modelList = new RepeatedLoad(() => loadModels());

function showModelsProblem(error) {
  const box = document.getElementById('models-problem');
  const sentence = error ? `The list of models is missing. ${toSentence(error)}` : '';
  if (sentence && box.hidden) announce(sentence);
  box.querySelector('p').textContent = sentence;
  box.hidden = !sentence;
}

document.querySelector('#models-problem button').addEventListener('click', () => modelList.start());
