'use strict';
// Tells the server who this page is, and whether it is about to be left. With that the server ends
// the answer of a closed tab at once, and keeps that of a reloaded one, whatever other tabs do.

// The server gives an id to each load of the page: a duplicated or reloaded tab has another one.
const PAGE_ID = document.querySelector('meta[name="page-id"]').content;

// Safari on iOS fires no `beforeunload`, so there the server has to find out by itself.
const FIRES_BEFOREUNLOAD = !('standalone' in navigator);

function helloMessage(answerId) {
  return { type: 'hello', page_id: PAGE_ID, answer_id: answerId };
}

// A browser fires `beforeunload` before it requests the page again, and `pagehide` when it has the
// response. Where it fires only `pagehide`, the tab is being closed.
function reportLeaving(connection) {
  addEventListener('beforeunload', () => connection.send({ type: 'leaving' }));
  addEventListener('pagehide', event => {
    // A page that the browser keeps for the back button needs no answer until it is shown again.
    if (event.persisted) connection.suspend();
    else if (FIRES_BEFOREUNLOAD) connection.send({ type: 'left' });
  });
  addEventListener('pageshow', event => {
    if (event.persisted) connection.open();
  });
}
