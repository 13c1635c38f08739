"""The API key is not in the errors of a batch on the server, even if a response echoes it."""

import pickle
import traceback

import pytest
from raw_server import serving

from aimlchat import AIMLChatError, ChatSession
from aimlchat.batch import run_on_server

KEY = "sk-very-secret-key"
CREATED = '{"id":"b1"}'


def show(error):
    """Return all that is shown of an error, the locals of its frames in this package included."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    whole.stack[:] = [frame for frame in whole.stack if frame.filename != __file__]
    return f"{error!r} {pickle.dumps(error)} {''.join(whole.format())}"


@pytest.mark.parametrize(
    "responses",
    [
        [f'{{"echo":"{KEY}"}}'],
        [f'{{"echo":"{"x" * 100}{KEY}"}}'],
        [f"<html>{KEY}"],
        [f'{{"error":{{"message":"{KEY}"}}}}'],
        [CREATED, f'["{KEY}"]'],
        [CREATED, f"<html>{KEY}"],
        [CREATED, f'{{"error":{{"message":"{KEY}","code":"not_found"}}}}'],
        [CREATED, f'{{"custom_id":"{KEY}","result":"{KEY}"}}'],
    ],
)
async def test_a_key_that_the_response_about_a_batch_echoes_is_not_in_the_error(files, responses):
    files.write_prompts(1)
    bodies = iter(responses)

    async def respond(_, writer):
        body = next(bodies).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(respond) as server, ChatSession(KEY, base_url=server.base_url) as session:
        with pytest.raises(AIMLChatError) as caught:
            await run_on_server(session, files.source, files.target, model="claude-sonnet-4.5")
    shown = show(caught.value)
    assert "create_batch" in shown or "_collect" in shown
    assert KEY[:8] not in shown
