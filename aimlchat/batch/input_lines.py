"""A line of the input: a body as it is to be sent, or a prompt."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NoReturn

import attrs
import msgspec

from aimlchat._client.prepare import RawRequest
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

__all__ = ["DIGEST_SIZE", "Asked", "Entry", "entry_of"]

DIGEST_SIZE = 16

_URLS = ("/v1/chat/completions", "/chat/completions")
_SERVER_URLS = (*_URLS, "/v1/messages", "/messages", "/v1/batches")
_SERVER_ROLES = ("user", "assistant")
# The vendor's batch endpoint takes no request without a limit.
_MAX_TOKENS_ON_SERVER = 4096
_OPTIONS = frozenset(field.alias for field in attrs.fields(ChatRequest)) - {
    "messages",
    "dialect",
    "client_request_id",
}
# Sorted keys: a file that was written anew by another tool asks for the same.
_canonical = msgspec.json.Encoder(order="deterministic").encode


@attrs.frozen
class Asked(RawRequest):
    """A body on its way, and what its result is filed under."""

    custom_id: str | int = ""
    digest: str = ""


class Entry(msgspec.Struct, frozen=True):
    """What a line asks for: ``content`` is its body, or a prompt and the options beside it."""

    custom_id: str | int
    content: dict[str, Any]
    is_plain: bool
    url: str

    def digest(self) -> bytes:
        """Return what tells this request from another one, whoever is going to answer it."""
        return blake2b(_canonical(self.content), digest_size=DIGEST_SIZE).digest()

    def body(self) -> dict[str, Any]:
        """Return the body for `complete_many`.

        Raises `ValueError` (an `InvalidRequestError` is one) for what cannot be sent.
        """
        if self.is_plain:
            return self._request().payload()
        _check_url(self.url, _URLS)
        if self.content.get("stream"):
            _refuse("the body asks for a stream; leave out `stream`")
        return self.content

    def params(self) -> dict[str, Any]:
        """Return the body for the vendor's batch endpoint, which takes Claude's dialect only.

        Raises `ValueError` for what cannot be sent there.
        """
        model = str(self.content.get("model"))
        if "claude" not in model.lower():
            _refuse(f"the vendor's batch endpoint only has Claude, not {model}")
        if self.is_plain:
            request = self._request().options(dialect="anthropic")
            if request.max_tokens is None and request.thinking is None:
                request = request.options(max_tokens=_MAX_TOKENS_ON_SERVER)
            return request.payload()
        _check_url(self.url, _SERVER_URLS)
        for message in self.content["messages"]:
            role = message.get("role") if isinstance(message, dict) else None
            if role not in _SERVER_ROLES:
                _refuse(
                    f"a message's role is {role!r}; the vendor's batch endpoint takes Anthropic's"
                    " form: user and assistant, and the system prompt in `system`"
                )
        if "max_tokens" not in self.content:
            _refuse("the vendor's batch endpoint needs `max_tokens` in the body")
        return {name: value for name, value in self.content.items() if name != "stream"}

    def _request(self) -> ChatRequest:
        options = {name: value for name, value in self.content.items() if name != "prompt"}
        return ChatRequest(**options).user(self.content["prompt"])


def entry_of(line: bytes, model: str) -> Entry:
    """Read a line; ``model`` is for one that names none.

    Raises `ValueError` for what is no request.
    """
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"it is not JSON: {error}"
        raise ValueError(msg) from error
    if not isinstance(said, dict):
        _refuse(f"it is {type(said).__name__}, not an object with custom_id and body")
    if "body" in said:
        return _with_body(said, model)
    if "prompt" not in said:
        _refuse("it has neither a `body` (with `custom_id`) nor a `prompt` (with `id`)")
    return _plain(said, model)


def _with_body(said: dict[str, Any], model: str) -> Entry:
    custom_id = _checked_id(said.get("custom_id"), "custom_id")
    method, url, body = said.get("method", "POST"), said.get("url", _URLS[0]), said["body"]
    if method != "POST":
        _refuse(f"its method is {method!r}; only POST is sent")
    if not isinstance(url, str):
        _refuse("its url is no text")
    if not isinstance(body, dict):
        _refuse("its body is not an object")
    if not isinstance(body.get("messages"), list):
        _refuse("its body has no list of messages")
    if body.get("model") is None:
        body["model"] = model
    return Entry(custom_id, body, is_plain=False, url=url)


def _plain(said: dict[str, Any], model: str) -> Entry:
    custom_id = _checked_id(said.pop("id", None), "id")
    if not isinstance(said["prompt"], str) or not said["prompt"].strip():
        _refuse("its prompt is no text, or empty")
    unknown = said.keys() - _OPTIONS - {"prompt"}
    if unknown:
        _refuse(f"{', '.join(sorted(unknown))}: a prompt has no such option")
    if said.get("model") is None:
        said["model"] = model
    return Entry(custom_id, said, is_plain=True, url=_URLS[0])


def _checked_id(custom_id: Any, name: str) -> str | int:
    if isinstance(custom_id, bool) or not isinstance(custom_id, str | int) or custom_id == "":
        _refuse(f"its {name} is {custom_id!r}; give a text or a whole number")
    return custom_id


def _check_url(url: str, known: tuple[str, ...]) -> None:
    if url not in known:
        _refuse(f"its url is {url!r}; only {known[0]} is sent")


def _refuse(problem: str) -> NoReturn:
    raise InvalidRequestError(problem)
