"""Responses whose content up to each byte is known, for the tests that cut them.

The content is computed from the events and their lengths, not by a parser.
"""

import itertools

import attrs
from raw_server import http_chunk


@attrs.frozen
class Event:
    """One event of a stream, and what it adds to the content."""

    data: bytes
    choice: int | None = 0  # the choice to which it belongs, which it thereby begins; None for none
    answer: str = ""
    reasoning: str = ""
    arguments: str = ""
    finish: bool = False
    total: int | None = None  # tokens
    usd: float | None = None


@attrs.frozen
class Shape:
    """A stream of events."""

    events: tuple[Event, ...]
    line_end: bytes = b"\n"
    choices: int = 1

    @property
    def body(self):
        return b"".join(b"data: " + e.data + 2 * self.line_end for e in self.events)

    @property
    def ends(self):
        """The offsets at which the JSON of each event ends, and the event can be understood."""
        sizes = (len(b"data: " + event.data) + 2 * len(self.line_end) for event in self.events)
        return [end - 2 * len(self.line_end) for end in itertools.accumulate(sizes)]


OPENAI = Shape(
    (
        Event(b'{"id":"o","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'),
        Event(b'{"id":"o","choices":[{"index":0,"delta":{"content":"Hel"}}]}', answer="Hel"),
        Event(
            b'{"id":"o","choices":[{"index":0,"delta":{"content":"lo "},"finish_reason":null}]}',
            answer="lo ",
        ),
        Event(b'{"id":"o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', finish=True),
        Event(b'{"id":"o","choices":[],"usage":{"total_tokens":7}}', choice=None, total=7),
        Event(b"[DONE]", choice=None),
    )
)
DONE_ALONE = Shape(  # without a finish reason, so that only [DONE] completes it
    (
        Event(b'{"choices":[{"index":0,"delta":{"content":"Hi"}}]}', answer="Hi"),
        Event(b"[DONE]", choice=None),
    )
)
CLAUDE_FLAT = Shape(
    (
        Event(
            b'{"id":"c","choices":[{"index":0,"delta":{"content":"One","role":"assistant",'
            b'"refusal":null}}],"created":1}',
            answer="One",
        ),
        Event(
            b'{"id":"","choices":[{"index":0,"delta":{"content":", two","refusal":null}}]}',
            answer=", two",
        ),
        Event(
            b'{"id":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],'
            b'"usage":{"total_tokens":9}}',
            finish=True,
            total=9,
        ),
        Event(
            b'{"choices":[{"index":0,"finish_reason":"stop"}],"usage":null,'
            b'"meta":{"usage":{"credits_used":4,"usd_spent":0.000002}}}',
            usd=0.000002,
        ),
    )
)
CLAUDE_ENVELOPED = Shape(
    (
        Event(
            b'{"event":{"id":"e","choices":[{"index":0,"delta":{"content":"Sing"}}],"usage":null},'
            b'"state":{"usage":{"input_tokens":5,"output_tokens":1}}}',
            answer="Sing",
            total=6,
        ),
        Event(
            b'{"event":{"id":"e","choices":[{"index":0,"delta":{"content":"!"}}]},"state":{}}',
            answer="!",
        ),
        Event(
            b'{"event":{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
            b'"usage":{"total_tokens":0}},"state":{"finishReason":"end_turn",'
            b'"usage":{"input_tokens":0,"output_tokens":3}}}',
            finish=True,
            total=8,
        ),
    ),
    line_end=b"\r\n",
)
TOOLS = Shape(
    (
        Event(
            b'{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm, "}}]}',
            reasoning="Hm, ",
        ),
        Event(b'{"choices":[{"index":0,"delta":{"reasoning_content":"yes."}}]}', reasoning="yes."),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t",'
            b'"function":{"name":"f","arguments":""}}]}}]}'
        ),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
            b'"function":{"arguments":"{\\"x\\":"}}]}}]}',
            arguments='{"x":',
        ),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
            b'"function":{"arguments":"1}"}}]}}]}',
            arguments="1}",
        ),
        Event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}', finish=True),
    )
)
UNICODE = Shape(
    (
        Event('{"choices":[{"index":0,"delta":{"content":"Grüße, "}}]}'.encode(), answer="Grüße, "),
        Event('{"choices":[{"index":0,"delta":{"content":"世界🦉"}}]}'.encode(), answer="世界🦉"),
        Event(
            '{"choices":[{"index":0,"delta":{"content":"…"},"finish_reason":"stop"}]}'.encode(),
            answer="…",
            finish=True,
        ),
    )
)
TWO_CHOICES = Shape(
    (
        Event(b'{"choices":[{"index":0,"delta":{"content":"Red"}}]}', answer="Red"),
        Event(b'{"choices":[{"index":1,"delta":{"content":"Blue"}}]}', choice=1, answer="Blue"),
        Event(
            b'{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}', choice=1, finish=True
        ),
        Event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}', finish=True),
    ),
    choices=2,
)
SHAPES = {
    "openai": OPENAI,
    "done alone": DONE_ALONE,
    "claude flat": CLAUDE_FLAT,
    "claude enveloped": CLAUDE_ENVELOPED,
    "reasoning and a tool call": TOOLS,
    "beyond ascii": UNICODE,
    "two choices": TWO_CHOICES,
}
WHOLE = '{"id":"w","choices":[{"message":{"content":"Grüße"},"finish_reason":"stop"}]}'.encode()
HEADERS = b"HTTP/1.1 200 OK\r\nx-inference-id: i1\r\n"


@attrs.frozen
class Response:
    """A body in its transfer coding, after the response headers."""

    headers: bytes
    coded: bytes
    decoded_sizes: tuple[int, ...]  # by index: bytes of the body in that many coded bytes

    def __len__(self) -> int:
        return len(self.headers) + len(self.coded)

    def first(self, size):
        return (self.headers + self.coded)[:size]

    def body_bytes_in(self, size):
        """Return how many bytes of the body the first ``size`` hold; None within the headers."""
        return None if size < len(self.headers) else self.decoded_sizes[size - len(self.headers)]


def in_chunks(body, size=23):
    """Encode the body in chunks that do not end where its events do."""
    coded, decoded_sizes = b"", [0]
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        chunk = http_chunk(piece)
        prefix = chunk.index(b"\n") + 1
        decoded_sizes += [
            start + min(max(i - prefix, 0), len(piece)) for i in range(1, len(chunk) + 1)
        ]
        coded += chunk
    coded += b"0\r\n\r\n"
    decoded_sizes += [len(body)] * 5
    headers = HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"
    return Response(headers, coded, tuple(decoded_sizes))


def with_length(body):
    headers = HEADERS + b"Content-Length: %d\r\n\r\n" % len(body)
    return Response(headers, body, tuple(range(len(body) + 1)))


def until_the_end(body):
    """Leave the body uncoded; the end of the connection ends it."""
    return Response(HEADERS + b"\r\n", body, tuple(range(len(body) + 1)))
