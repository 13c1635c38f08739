"""Streams of chat completions, right ones and damaged ones, each drawn from a seed.

A damaged stream is a right one in which the structure was changed (events, keys, values) and then
the bytes. So most of it still is what a parser expects, and the damage reaches its inner parts.
"""

import copy
import itertools
import json
import random

import attrs

WORDS = ["Hello", " wor", "ld", "\n", "  ", "", "Größe ", "🦉", "\u202e", "<think>", "</think>",
         "<", "think>", "```", "null", "x" * 300]  # fmt: skip
KEYS = ["choices", "delta", "message", "content", "reasoning_content", "reasoning", "index", "id",
        "model", "error", "usage", "meta", "event", "state", "tool_calls", "function", "arguments",
        "name", "finish_reason", "refusal", "audio", "annotations", "images", "logprobs", "created",
        "custom", "input", "type", "function_call", "thinking", "reasoning_details", "text", "",
        "__class__", "__proto__", "\x00", "k" * 300, "é", "\ud800", "self", "$ref"]  # fmt: skip
FINISHES = ["stop", "end_turn", "length", "tool_calls", "content_filter", "", "null", "STOP", "new"]


def _nest(depth, value=None):
    for _ in range(depth):
        value = {"x": value}
    return value


ODD_VALUES = [None, True, False, 0, -1, 1, 7, 2**63, 10**400, 1e308, float("inf"), float("nan"), "",
              "x", "0", "null", "\ud83e", "\udd89", "\x00\x1b[2J", [], {}, [[]], [None], {"x": {}},
              {"text": "t"}, [{"type": "text", "text": "t"}], _nest(70), "{", "}", '{"a":1}',
              "stop", "error", {"message": "boom", "code": 529}]  # fmt: skip
ODD_EVENTS = [b"[DONE]", b"null", b"{}", b"[]", b"junk", b"", b"<html>",
              b'{"error":{"message":"m"}}', b'{"choices":', b"[" * 3000,
              b'{"x":' * 300 + b"1" + b"}" * 300, b"\xff\xfe", b"7",
              b'{"choices":[{"index":0,"delta":{"content":"\\ud83e"}}]}', b'{"a":1e999}',
              b'{"choices":[{"index":' + b"9" * 5000 + b',"delta":{"content":"n"}}]}']  # fmt: skip
ODD_BYTES = [b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"',
             b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\ud83e", b"data:", b"data: [DONE]\n\n",
             b": ping\n\n", b"null", b" ", b"9" * 400]  # fmt: skip
MODELS = ["", "openai/gpt-4o", "qwen3-32b", "anthropic/claude-sonnet-4.5"]


@attrs.frozen
class FuzzedStream:
    """A body, the model that was asked for, where to cut it, and its text if it is a right one."""

    number: int
    body: bytes
    model: str
    cuts: tuple[tuple[int, ...], ...]
    is_right: bool = False
    text: str = ""
    reasoning: str = ""

    def pieces(self, cuts):
        ends = (0, *cuts, len(self.body))
        return [self.body[a:b] for a, b in itertools.pairwise(ends)]


def draw_stream(number: int) -> FuzzedStream:
    """Return the stream with this number, always the same one."""
    rng = random.Random(f"stream/{number}")  # noqa: S311 - not a secret
    builder = _Builder(rng)
    chunks = builder.build()
    is_right = rng.random() < 0.1
    if not is_right:
        for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
            _damage_structure(rng, chunks)
    body = _frame(rng, chunks, is_right=is_right)
    if not is_right and rng.random() < 0.5:
        body = _damage_bytes(rng, body)
    cuts = tuple(
        tuple(sorted(rng.randint(0, len(body)) for _ in range(count)))
        for count in (rng.randint(1, 3), rng.randint(4, 40))
    )
    model = rng.choice(MODELS) if not is_right else "openai/gpt-4o"
    return FuzzedStream(
        number, body, model, cuts, is_right, "".join(builder.answer), "".join(builder.reasoning)
    )


class _Builder:
    """Builds the chunks of one stream, in the form of one family of servers."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.answer: list[str] = []
        self.reasoning: list[str] = []

    def build(self) -> list:
        rng = self._rng
        choices = rng.choice((1, 1, 1, 2, 5))
        chunks = [
            self._wrap(self._delta(rng.randrange(choices))) for _ in range(rng.randint(0, 12))
        ]
        if rng.random() < 0.3:
            chunks += map(self._wrap, self._tool_calls())
        finishes = [
            self._wrap({"index": index, "delta": {}, "finish_reason": rng.choice(FINISHES[:5])})
            for index in range(choices)
        ]
        chunks += finishes
        if rng.random() < 0.5:
            usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
            chunks.append({"id": "c", "choices": [], "usage": usage})
        if rng.random() < 0.3:
            chunks.append({"meta": {"usage": {"credits_used": 12, "usd_spent": 0.000006}}})
        if rng.random() < 0.2:
            state = {"usage": {"input_tokens": 3, "output_tokens": 4}, "finishReason": "end_turn"}
            chunks = [{"event": chunk, "state": state} for chunk in chunks]
        return chunks

    def _wrap(self, choice) -> dict:
        rng = self._rng
        chunk = {"id": rng.choice(("c", "")), "model": "m", "created": 1, "choices": [choice]}
        if rng.random() < 0.2:
            chunk[rng.choice(("obfuscation", "service_tier", "system_fingerprint"))] = "x"
        return chunk

    def _delta(self, index) -> dict:
        rng = self._rng
        word = rng.choice(WORDS)
        if rng.random() < 0.3:
            delta = {"content": None, "reasoning_content": word}
            kept = self.reasoning
        else:
            delta = {"content": word}
            kept = self.answer
        if index == 0:
            kept.append(word)
        return {"index": index, "delta": delta, "finish_reason": None}

    def _tool_calls(self) -> list:
        rng = self._rng
        fragments = []
        for index in range(rng.randint(1, 3)):
            known = {"index": index, "id": f"t{index}", "type": "function"}
            fragments.append(known | {"function": {"name": "f", "arguments": ""}})
            pieces = rng.choice((['{"a":', "1}"], ["{}"], [""], ['{"a":"{}"}'], ['{"a']))
            fragments += [{"index": index, "function": {"arguments": piece}} for piece in pieces]
        if rng.random() < 0.3:
            rng.shuffle(fragments)
        return [{"index": 0, "delta": {"tool_calls": [f]}} for f in copy.deepcopy(fragments)]


def _damage_structure(rng, chunks) -> None:
    """Change the list of chunks, or one value somewhere in it."""
    kind = rng.randrange(8)
    if kind == 0 and chunks:
        del chunks[rng.randrange(len(chunks))]
    elif kind == 1 and chunks:
        chunks.insert(rng.randint(0, len(chunks)), copy.deepcopy(rng.choice(chunks)))
    elif kind == 2:
        rng.shuffle(chunks)
    elif kind == 3:
        chunks.insert(rng.randint(0, len(chunks)), rng.choice(ODD_EVENTS))
    else:
        _change_value(rng, [chunk for chunk in chunks if isinstance(chunk, dict)])


def _change_value(rng, chunks) -> None:
    """Walk down from a chunk, and change what is there: a value, a key or a type."""
    if not chunks:
        return
    parent, node, key = None, rng.choice(chunks), None
    while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.8):
        parent = node
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[key]
    if parent is None:
        return
    kind = rng.randrange(4)
    if kind == 0 or isinstance(parent, list):
        parent[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    elif kind == 1:
        parent[rng.choice(KEYS)] = parent.pop(key)
    elif kind == 2:
        del parent[key]
    else:
        parent[rng.choice(KEYS)] = copy.deepcopy(rng.choice(ODD_VALUES))


def _frame(rng, chunks, *, is_right) -> bytes:
    """Return the chunks as server-sent events, or as one body of JSON."""
    texts = [c if isinstance(c, bytes) else json.dumps(c).encode() for c in chunks]
    if not is_right and rng.random() < 0.05:
        return rng.choice((b"", b" ", b"\xef\xbb\xbf")) + b"".join(texts[:1])
    body = rng.choice((b"", b"", b"\xef\xbb\xbf", b": hi\n\n", b"\n\n"))
    for text in texts:
        if rng.random() < 0.1:
            body += rng.choice((b": ping\n\n", b"event: ping\n\n", b"data:\n\n", b"id: 1\n"))
        if not is_right and rng.random() < 0.02:
            body += rng.choice((b"event: error\n", b"error: boom\n\n", b"boom\n", b"boom\n\n"))
        field = b"data: " if is_right or rng.random() < 0.97 else b""
        lines = [field + text]
        if text.startswith(b'{"id"') and rng.random() < 0.1:
            head, comma, tail = text.partition(b",")
            lines = [b"data: " + head + comma, b"data:" + tail]
        body += b"\n".join(lines) + b"\n\n"
    if rng.random() < 0.6:
        body += b"data: [DONE]\n\n"
    if rng.random() < 0.2:
        body = body.replace(b"\n", rng.choice((b"\r\n", b"\r")))
    return body


def _damage_bytes(rng, body) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 5))):
        start = rng.randint(0, len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[start : start + rng.randint(0, 20)] = rng.choice(ODD_BYTES)
        elif kind == 1 and start < len(changed):
            changed[start] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del changed[start:]
        else:
            end = start + rng.randint(0, 200)
            changed[start:start] = changed[start:end]
    return bytes(changed)
