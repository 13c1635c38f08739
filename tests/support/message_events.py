"""Streams in Claude's own message format, built from the blocks of a turn."""

import json

# What a block starts with; its deltas bring the rest. Other blocks start complete.
_EMPTY = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
START = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {
        "input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 1000,
        "output_tokens": 1,
    },
}
STOP = {"type": "message_stop"}


def message_event(event):
    """Return an event as bytes, with its name."""
    data = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def message_events(blocks, *, stop="end_turn", end=STOP):
    """Return a whole stream of these blocks, each text in pieces of two characters."""
    events = [{"type": "message_start", "message": START}, {"type": "ping"}]
    for index, block in enumerate(blocks):
        start = {**block, **_EMPTY.get(block["type"], {})}
        start.pop("citations", None)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += (
            {"type": "content_block_delta", "index": index, "delta": delta}
            for delta in _deltas(block)
        )
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop, "stop_sequence": None}
    events += [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 40}}, end]
    return b"".join(map(message_event, events))


def _deltas(block):
    match block["type"]:
        case "text":
            for piece in _cut(block["text"]):
                yield {"type": "text_delta", "text": piece}
            for citation in block.get("citations", ()):
                yield {"type": "citations_delta", "citation": citation}
        case "thinking":
            for piece in _cut(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            for piece in ["", *_cut(json.dumps(block["input"]))]:
                yield {"type": "input_json_delta", "partial_json": piece}


def _cut(text):
    return [text[start : start + 2] for start in range(0, len(text), 2)]
