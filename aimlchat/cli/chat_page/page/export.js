'use strict';
// A conversation as a file: Markdown to read, JSON to process.

function exportMarkdown(turns, date) {
  const parts = [`# Chat of ${formatDate(date, ' ', ':')}`];
  for (const data of turns) {
    parts.push('## You', data.question);
    if (data.files?.length) parts.push(`Attached: ${data.files.map(({ name }) => name).join(', ')}`);
    parts.push(`## ${data.model ?? 'Model'}`);
    // A quote, so that nobody takes the reasoning for the answer.
    if (data.reasoning) parts.push(`> **Reasoning**\n>\n${data.reasoning.replace(/^/gm, '> ')}`);
    parts.push(...data.calls.map(describeCall));
    if (data.answer) parts.push(data.answer);
    const summary = formatSummary(data);
    if (summary) parts.push(`*${summary}*`);
  }
  parts.push('---', formatTotals(sumUp(turns)));
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

function describeCall(call) {
  const { name, input, output, state } = call;
  const title = state === 'failed' ? 'Error' : 'Result';
  const result = hasResult(call) ? [`${title}:`, quoteCode(formatValue(output))] : [];
  return [`**Call of \`${name}\`**`, quoteCode(formatValue(input)), ...result].join('\n\n');
}

// Returns a block of code with a fence that the text does not contain.
function quoteCode(text) {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

function exportJson(turns, date) {
  const content = {
    exportedAt: date.toISOString(),
    totals: sumUp(turns),
    turns: turns.map(data => ({
      question: data.question,
      files: (data.files ?? []).map(({ name }) => name),
      ...pickAnswer(data),
      otherAnswers: data.otherAnswers.map(pickAnswer),
    })),
  };
  return `${JSON.stringify(content, cutFileData, 2)}\n`;
}

function pickAnswer({ model, reasoning, calls, answer, state, note, startedAt, metadata }) {
  const askedAt = new Date(startedAt).toISOString();
  const pickedCalls = calls.map(({ name, input, output, state: callState }) => (
    { name, input, output, state: callState }
  ));
  return { model, askedAt, reasoning, calls: pickedCalls, answer, state, note, ...metadata };
}

// Offers a text as a file that the browser saves.
function saveFile(text, type, extension, date) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  Object.assign(link, { href: url, download: `aimlchat-${formatDate(date, '-', '')}.${extension}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
}

// Returns the local time, such as 2026-03-01-1745.
function formatDate(date, separator, colon) {
  const two = number => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return day + separator + two(date.getHours()) + colon + two(date.getMinutes());
}
