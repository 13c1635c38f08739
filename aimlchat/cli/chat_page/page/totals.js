'use strict';
// The totals of a chat: its answers, their tokens and their cost.

// Returns the numbers for a list of the data of turns. Other answers to a question count as well,
// since they were paid for.
function sumUp(turns) {
  const answers = turns.flatMap(listAnswers).filter(({ answer, reasoning, calls }) => answer || reasoning || calls.length);
  const metadata = answers.map(answer => answer.metadata);
  const { usage, cost } = metadata.reduce(addUp, {}) ?? {};
  return {
    answers: answers.length,
    inputTokens: usage?.inputTokens ?? null,
    outputTokens: usage?.outputTokens ?? null,
    reasoningTokens: usage?.outputTokenDetails?.reasoningTokens ?? null,
    usd: cost?.usd ?? null,
    // Of an answer that was stopped, the server names neither tokens nor a cost.
    isComplete: answers.every(({ state, metadata: known }) => state === 'done' && known?.cost),
  };
}

function formatTotals(totals) {
  const { answers, inputTokens, outputTokens, usd, isComplete } = totals;
  const parts = [answers === 1 ? '1 answer' : `${numberFormat.format(answers)} answers`];
  const tokens = formatUsage({ inputTokens, outputTokens });
  if (tokens) parts.push(tokens);
  if (usd !== null) parts.push(`${isComplete ? '' : 'at least '}${formatDollars(usd)}`);
  return parts.join(' · ');
}
