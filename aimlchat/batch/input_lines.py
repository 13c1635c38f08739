"""A line of the input: a body that is sent unchanged, or a prompt with options."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NoReturn

import attrs
import msgspec

from aimlchat._client.prepare import RawRequest
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

from .known_ids import DIGEST_SIZE

__all__ = ["BatchRequest", "InputRequest", "parse_line"]

_URLS = ("/v1/chat/completions", "/chat/completions")
_SERVER_URLS = (*_URLS, "/v1/messages", "/messages", "/v1/batches")
_SERVER_ROLES = ("user", "assistant")
# The vendor's batch endpoint refuses a request without a limit.
_DEFAULT_MAX_TOKENS_ON_SERVER = 4096
_OPTIONS = frozenset(field.alias for field in attrs.fields(ChatRequest)) - {
    "messages",
    "dialect",
    "client_request_id",
}
# Sorted keys, so that a file rewritten by another tool still has the same requests.
_encode_canonical = msgspec.json.Encoder(order="deterministic").encode


class BatchRequest(RawRequest, frozen=True):
    """A body to be sent, with the id and the digest that its result is stored under."""

    custom_id: str | int = ""
    digest: str = ""


class InputRequest(msgspec.Struct, frozen=True):
    """A request of the input.

    ``content`` is the body, or, if ``is_prompt``, the prompt and the options beside it. ``url`` is
    the path that the line names.
    """

    custom_id: str | int
    content: dict[str, Any]
    is_prompt: bool
    url: str

    def compute_digest(self) -> bytes:
        """Return the digest of the content, whether it is sent from here or by the server.

        Raises `ValueError` for content that cannot be encoded.
        """
        try:
            return blake2b(_encode_canonical(self.content), digest_size=DIGEST_SIZE).digest()
        except (OverflowError, RecursionError) as error:
            msg = f"it cannot be encoded as JSON: {error}"
            raise ValueError(msg) from error

    def build_body(self) -> dict[str, Any]:
        """Return the body for `ChatSession.complete_many`.

        Raises `ValueError`, or its subclass `InvalidRequestError`, if it cannot be sent.
        """
        if self.is_prompt:
            return self._build_request().payload()
        _check_url(self.url, _URLS)
        if self.content.get("stream"):
            _refuse("the body asks for a stream; leave out `stream`")
        return self.content

    def build_params(self) -> dict[str, Any]:
        """Return the body for the vendor's batch endpoint, which takes Anthropic's format only.

        Raises `ValueError` if the request cannot be sent there.
        """
        model = str(self.content.get("model"))
        if "claude" not in model.lower():
            _refuse(
                f"the vendor's batch endpoint only has Claude, not {model}; name a Claude model, or"
                " run without server-side batches"
            )
        if self.is_prompt:
            request = self._build_request().options(dialect="anthropic")
            if request.max_tokens is None and request.thinking is None:
                request = request.options(max_tokens=_DEFAULT_MAX_TOKENS_ON_SERVER)
            return request.payload()
        _check_url(self.url, _SERVER_URLS)
        for message in self.content["messages"]:
            role = message.get("role") if isinstance(message, dict) else None
            if role not in _SERVER_ROLES:
                _refuse(
                    f"a message's role is {role!r}; the vendor's batch endpoint takes Anthropic's"
                    " format: give the roles user and assistant, and the system prompt in `system`"
                )
        if "max_tokens" not in self.content:
            _refuse("the vendor's batch endpoint needs `max_tokens` in the body; add it")
        return {name: value for name, value in self.content.items() if name != "stream"}

    def _build_request(self) -> ChatRequest:
        options = {name: value for name, value in self.content.items() if name != "prompt"}
        return ChatRequest(**options).user(self.content["prompt"])


def parse_line(line: bytes, model: str) -> InputRequest:
    """Parse a line of the input.

    Args:
        line: JSON, either in the format of OpenAI's Batch API or a prompt with options.
        model: the model of a line that names none.

    Raises `ValueError` for a line that is not a request.
    """
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the line is not JSON: {error}"
        raise ValueError(msg) from error
    except RecursionError as error:
        msg = "the line is nested too deeply to be read"
        raise ValueError(msg) from error
    if not isinstance(value, dict):
        _refuse(
            f"the line holds a {type(value).__name__}, not an object; give `custom_id` and `body`,"
            " or `id` and `prompt`"
        )
    if "body" in value:
        return _parse_body_line(value, model)
    if "prompt" not in value:
        _refuse("the line has neither a `body` (with `custom_id`) nor a `prompt` (with `id`)")
    return _parse_prompt_line(value, model)


def _parse_body_line(fields: dict[str, Any], model: str) -> InputRequest:
    custom_id = _check_id(fields.get("custom_id"), "custom_id")
    method, url, body = fields.get("method", "POST"), fields.get("url", _URLS[0]), fields["body"]
    if method != "POST":
        _refuse(f"the `method` is {method!r}; give POST, or leave it out")
    if not isinstance(url, str):
        _refuse(f"the `url` is not text; give {_URLS[0]}, or leave it out")
    if not isinstance(body, dict):
        _refuse("the `body` is not an object; give a model and messages")
    if not isinstance(body.get("messages"), list):
        _refuse("the `body` has no list of `messages`")
    if body.get("model") is None:
        body["model"] = model
    return InputRequest(custom_id, body, is_prompt=False, url=url)


def _parse_prompt_line(fields: dict[str, Any], model: str) -> InputRequest:
    custom_id = _check_id(fields.pop("id", None), "id")
    if not isinstance(fields["prompt"], str) or not fields["prompt"].strip():
        _refuse("the `prompt` is empty or not text; for other content give a `body`")
    unknown = fields.keys() - _OPTIONS - {"prompt"}
    if unknown:
        _refuse(
            f"{', '.join(sorted(unknown))}: a prompt has no such option; remove it, or send it in"
            " `extra`"
        )
    if fields.get("model") is None:
        fields["model"] = model
    return InputRequest(custom_id, fields, is_prompt=True, url=_URLS[0])


def _check_id(custom_id: Any, name: str) -> str | int:
    if isinstance(custom_id, bool) or not isinstance(custom_id, str | int) or custom_id == "":
        _refuse(f"the `{name}` is {custom_id!r}; give text or a whole number")
    return custom_id


def _check_url(url: str, accepted: tuple[str, ...]) -> None:
    if url not in accepted:
        _refuse(f"the `url` is {url!r}; give {accepted[0]}, or leave it out")


def _refuse(problem: str) -> NoReturn:
    raise InvalidRequestError(problem)
