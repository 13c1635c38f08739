'use strict';
// The steps of an answer, each with its text and the calls after it, as the model has to get them
// back. The page shows their texts as one.

// The result of a call that still ran when its answer ended: the API takes no call without one.
const STOPPED_CALL = 'The answer was stopped before this call had a result.';

// Begins the next step, after the results of calls.
function startNextStep(data) {
  const separate = text => (text.trim() ? `${text.trimEnd()}\n\n` : text);
  data.reasoning = separate(data.reasoning);
  if (data.before) {
    data.addition = separate(data.addition);
    data.answer = joinRest(data.before.texts.answer, data.addition);
  } else data.answer = separate(data.answer);
  data.breaks.push({ answer: data.answer.trimEnd().length, calls: data.calls.length });
}

// Keeps the turns that the model has signed, one for each step. Those of an answer that continues
// another one begin with the step that was cut.
function keepSignedTurns(data, turns) {
  const before = data.before?.signedTurns ?? [];
  const count = data.before?.breaks?.length ?? 0;
  data.signedTurns = [...Array.from({ length: count }, (_, index) => before[index] ?? null), ...turns];
}

// Whether the model gets a call back: not one whose arguments were cut off.
const isCallSentBack = call => hasResult(call) || call.state === 'running';

// Whether the model gets the turn back.
const isSentBack = ({ answer, calls }) => Boolean(answer) || calls.some(isCallSentBack);

// Returns an answer with calls, or one that the model has signed, as a message of the AI SDK; null
// for any other one, of which the text is all.
function buildMessage({ answer, calls, breaks, signedTurns }) {
  if (!calls.some(isCallSentBack) && !signedTurns.some(Boolean)) return null;
  const parts = [];
  let start = { answer: 0, calls: 0 };
  for (const end of [...breaks, { answer: answer.length, calls: calls.length }]) {
    const text = answer.slice(start.answer, end.answer).trimEnd().replace(/^(?:[ \t]*\n)+/, '');
    parts.push({ type: 'step-start' });
    if (text) parts.push({ type: 'text', text });
    parts.push(...calls.slice(start.calls, end.calls).filter(isCallSentBack).map(buildCallPart));
    start = end;
  }
  return { role: 'assistant', parts, metadata: { turns: signedTurns } };
}

function buildCallPart({ id, name, input, output, state, isInputBroken }) {
  const part = { type: 'dynamic-tool', toolName: name, toolCallId: id };
  if (state === 'done') return { ...part, state: 'output-available', input, output };
  const errorText = state === 'running' ? STOPPED_CALL : output;
  return { ...part, state: 'output-error', input: isInputBroken ? null : input, errorText };
}
