"""Messages as `useChat` posts them, and what becomes of them."""

from aimlchat import ChatRequest
from aimlchat.relay import request_from_ui

GPT = "openai/gpt-4o"


def user(*parts):
    return {"id": "u", "role": "user", "parts": list(parts)}


def assistant(*parts):
    return {"id": "a", "role": "assistant", "parts": list(parts)}


def text(content):
    return {"type": "text", "text": content}


def call(state, **fields):
    return {"type": "tool-find", "toolCallId": "c1", "state": state, "input": {"q": 1}} | fields


def payload_of(*messages, base=None):
    return request_from_ui(messages, base=base or ChatRequest(GPT)).payload()


def messages_of(*messages, **options):
    return payload_of(*messages, **options)["messages"]
