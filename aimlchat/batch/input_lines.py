"""A line of the input: a body that is sent unchanged, or a prompt with options."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NoReturn, cast

import attrs
import msgspec

from aimlchat._client.prepare import RawRequest
from aimlchat._payload.json_values import describe
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

from .known_ids import DIGEST_SIZE, normalize_id

__all__ = ["BatchRequest", "InputRequest", "TypedBatchRequest", "get_content_digest", "parse_line"]

_URLS = ("/v1/chat/completions", "/chat/completions")
_MESSAGES_URLS = ("/v1/messages", "/messages")
_SERVER_URLS = (*_URLS, *_MESSAGES_URLS, "/v1/batches")
_SERVER_ROLES = ("user", "assistant")
# The vendor's batch endpoint refuses a request without a limit.
_DEFAULT_MAX_TOKENS_ON_SERVER = 4096
_OPTIONS = frozenset(field.alias for field in attrs.fields(ChatRequest)) - {
    "messages",
    "dialect",
    "client_request_id",
}
_BODY_OPTIONS = (_OPTIONS | {"messages"}) - {"extra"}
# How many names of unknown options an error message has, and how much of each.
_MAX_NAMES = 5
_MAX_NAME_LENGTH = 60
# UTF-16's halves of a character, each encoded as if it were a character.
_ENCODED_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# Sorted keys, so that a file rewritten by another tool still has the same requests.
_encode_canonical = msgspec.json.Encoder(order="deterministic").encode


class BatchRequest(RawRequest, frozen=True, gc=False):
    """A body to be sent, with the id and the digest that its result is stored under."""

    custom_id: str | int = ""
    digest: str = ""

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the body, which was checked when the input was, and which nobody changes."""
        return cast("dict[str, Any]", self.body)


class TypedBatchRequest(BatchRequest, frozen=True, kw_only=True):
    """A request for a typed answer, with the fields to which the type adds others."""

    request: ChatRequest

    def to_request(self) -> ChatRequest:
        """Return the request. Raises `InvalidRequestError`."""
        return self.request.options(client_request_id=self.client_request_id)


class _BodyLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line in the usual form of OpenAI's Batch API, which is decoded faster."""

    custom_id: str
    body: dict[str, Any]
    method: str = "POST"
    url: str = _URLS[0]


_decode_body_line = msgspec.json.Decoder(_BodyLine).decode


class InputRequest(msgspec.Struct, frozen=True, gc=False):
    """A request of the input.

    ``content`` is the body, or, if ``is_prompt``, the prompt or the messages with the options
    beside them. ``url`` is the path that the line names; ``names_model`` is whether it names a
    model.
    """

    custom_id: str | int
    content: dict[str, Any]
    is_prompt: bool
    url: str
    names_model: bool = True

    def compute_digest(self) -> bytes:
        """Return the digest of the content, whether it is sent from here or by the server.

        Its second half is that of the model, so that a request can be compared without it.

        Raises `ValueError` for content that cannot be encoded.
        """
        rest = self.content.copy()
        model = rest.pop("model", None)
        try:
            return _digest(_encode_canonical(rest)) + _digest_model(model)
        except (OverflowError, RecursionError) as error:
            msg = f"it cannot be encoded as JSON: {error}"
            raise ValueError(msg) from error

    def restore_digest(self, content_digest: int) -> bytes:
        """Return the whole digest from the half that `get_content_digest` returned."""
        model = _digest_model(self.content.get("model"))
        return content_digest.to_bytes(DIGEST_SIZE // 2, "big") + model

    def build_body(self) -> dict[str, Any]:
        """Return the body for `ChatSession.complete_many`.

        Raises `ValueError`, or its subclass `InvalidRequestError`, if it cannot be sent.
        """
        if self.is_prompt:
            return self._build_request().payload()
        is_message = self.url not in _URLS
        if is_message:
            _check_url(self.url, (*_URLS, *_MESSAGES_URLS))
        if self.content.get("stream"):
            _refuse("the body asks for a stream; leave out `stream`")
        if is_message:
            from aimlchat._payload.messages import MessagesPayload  # noqa: PLC0415 - for few files

            return MessagesPayload(self.content)
        return self.content

    def build_request(self) -> ChatRequest:
        """Return the request with its options, for a typed answer.

        Fields of a body that are not options of `ChatRequest` go into ``extra``. Raises
        `ValueError`, or its subclass `InvalidRequestError`, if it cannot be sent.
        """
        if self.is_prompt:
            return self._build_request()
        _check_url(self.url, _URLS)
        if self.content.get("stream"):
            _refuse("the body asks for a stream; leave out `stream`")
        known = {name: value for name, value in self.content.items() if name in _BODY_OPTIONS}
        rest = {
            name: value
            for name, value in self.content.items()
            if name not in _BODY_OPTIONS and name != "stream"
        }
        return ChatRequest(**known, extra=rest or None)

    def build_params(self) -> dict[str, Any]:
        """Return the body for the vendor's batch endpoint, which accepts Anthropic's format only.

        Raises `ValueError` if the request cannot be sent there.
        """
        model = self.content.get("model")
        if "claude" not in str(model).lower():
            _refuse(
                f"the vendor's batch endpoint only has Claude, not {describe(model)}; name a Claude"
                " model, or run without server-side batches"
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
                    f"a message's role is {describe(role)}; the vendor's batch endpoint takes"
                    " Anthropic's format: give the roles user and assistant, and the system prompt"
                    " in `system`"
                )
        if "max_tokens" not in self.content:
            _refuse("the vendor's batch endpoint needs `max_tokens` in the body; add it")
        return {name: value for name, value in self.content.items() if name != "stream"}

    def _build_request(self) -> ChatRequest:
        options = {name: value for name, value in self.content.items() if name != "prompt"}
        request = ChatRequest(**options)
        return request.user(self.content["prompt"]) if "prompt" in self.content else request


def get_content_digest(digest: bytes) -> int:
    """Return the first half of a digest, that of the content without the model."""
    return int.from_bytes(digest[: DIGEST_SIZE // 2], "big")


def _digest(encoded: bytes) -> bytes:
    return blake2b(encoded, digest_size=DIGEST_SIZE // 2).digest()


def _digest_model(model: Any) -> bytes:
    return _digest_name(model) if type(model) is str else _digest(_encode_canonical(model))


@lru_cache(maxsize=16)  # a file names few models
def _digest_name(model: str) -> bytes:
    return _digest(_encode_canonical(model))


def parse_line(line: bytes, model: str) -> InputRequest:
    """Parse a line of the input.

    Args:
        line: JSON, either in the format of OpenAI's Batch API or a prompt with options.
        model: the model of a line that names none.

    Raises `ValueError` for a line that is not a request.
    """
    if b'"body"' in line and (request := _parse_usual_line(line, model)) is not None:
        return request
    try:
        value = msgspec.json.decode(line)
    except RecursionError as error:
        msg = "the line is nested too deeply to be read"
        raise ValueError(msg) from error
    except ValueError as error:  # DecodeError and UnicodeDecodeError are ValueErrors
        msg = f"the line is not JSON: {_describe_broken_json(line, error)}"
        raise ValueError(msg) from error
    if not isinstance(value, dict):
        _refuse(
            f"the line holds a {type(value).__name__}, not an object; give `custom_id` and `body`,"
            " or `id` and `prompt`"
        )
    if "body" in value:
        return _parse_body_line(value, model)
    if "prompt" in value or "messages" in value:
        return _parse_prompt_line(value, model)
    if "params" in value:
        msg = "the line has the form of Anthropic's batches; give `body` instead of `params`"
    else:
        msg = "the line has neither a `body` (with `custom_id`) nor a `prompt` or `messages`"
    raise InvalidRequestError(msg)


def _parse_usual_line(line: bytes, model: str) -> InputRequest | None:
    """Parse a line that has nothing unusual; return None for any other, such as a broken one."""
    try:
        usual = _decode_body_line(line)
    except (ValueError, RecursionError):
        return None
    body = usual.body
    is_usual = usual.custom_id and usual.method == "POST" and usual.url in _URLS
    if not is_usual or type(body.get("messages")) is not list:
        return None
    names_model = body.get("model") is not None
    if not names_model:
        body["model"] = model
    return InputRequest(usual.custom_id, body, False, usual.url, names_model)  # noqa: FBT003


def _describe_broken_json(line: bytes, error: ValueError) -> str:
    if _ENCODED_SURROGATE.search(line):
        return "a character is cut in two (a lone surrogate); remove it"
    try:
        line.decode()
    except UnicodeDecodeError as found:
        return (
            f"byte {found.start} (0x{line[found.start]:02x}) is not UTF-8; convert the file, as in:"
            " iconv -f CP1252 -t UTF-8 FILE"
        )
    if line.startswith(b"{'"):
        return "it has single quotes, as Python prints a dict; write it with json.dumps"
    try:
        json.dumps(json.loads(line), ensure_ascii=False).encode()
    except UnicodeEncodeError as found:
        surrogate = ord(found.object[found.start])
        return f"a character is cut in two (the lone surrogate \\u{surrogate:04x}); remove it"
    except (ValueError, RecursionError):
        return str(error)
    return f"NaN and Infinity are not JSON ({error})"


def _parse_body_line(fields: dict[str, Any], model: str) -> InputRequest:
    id_name = "id" if "id" in fields and "custom_id" not in fields else "custom_id"
    custom_id = _check_id(fields.get(id_name), id_name)
    method, url, body = fields.get("method", "POST"), fields.get("url", _URLS[0]), fields["body"]
    if not isinstance(method, str) or method.upper() != "POST":
        _refuse(f"the `method` is {describe(method)}; give POST, or leave it out")
    if not isinstance(url, str):
        _refuse(f"the `url` is not text; give {_URLS[0]}, or leave it out")
    _check_url(url, _SERVER_URLS)
    if not isinstance(body, dict):
        _refuse("the `body` is not an object; give a model and messages")
    if not isinstance(body.get("messages"), list):
        _refuse("the `body` has no list of `messages`")
    names_model = body.get("model") is not None
    if not names_model:
        body["model"] = model
    return InputRequest(custom_id, body, is_prompt=False, url=url, names_model=names_model)


def _parse_prompt_line(fields: dict[str, Any], model: str) -> InputRequest:
    id_name = "custom_id" if "custom_id" in fields and "id" not in fields else "id"
    custom_id = _check_id(fields.pop(id_name, None), id_name)
    if "messages" in fields:
        if "prompt" in fields:
            _refuse("the line has both a `prompt` and `messages`; give one of them")
        if not isinstance(fields["messages"], list):
            _refuse("the `messages` are not a list")
    elif not isinstance(fields["prompt"], str) or not fields["prompt"].strip():
        _refuse("the `prompt` is empty or not text; for other content give `messages` or a `body`")
    unknown = fields.keys() - _OPTIONS - {"prompt", "messages"}
    if unknown:
        names = ", ".join(map(_shorten, sorted(unknown)[:_MAX_NAMES]))
        more = f" and {len(unknown) - _MAX_NAMES:,} more" if len(unknown) > _MAX_NAMES else ""
        _refuse(f"{names}{more}: a prompt has no such option; remove it, or send it in `extra`")
    names_model = fields.get("model") is not None
    if not names_model:
        fields["model"] = model
    return InputRequest(custom_id, fields, is_prompt=True, url=_URLS[0], names_model=names_model)


def _check_id(custom_id: Any, name: str) -> str | int:
    normalized = normalize_id(custom_id)
    if normalized is None or normalized == "":
        found = "None or missing" if custom_id is None else describe(custom_id)
        _refuse(f"the `{name}` is {found}; give each request text or a whole number as its id")
    return normalized


def _shorten(name: str) -> str:
    return f"{name[:_MAX_NAME_LENGTH]}..." if len(name) > _MAX_NAME_LENGTH else name


def _check_url(url: str, accepted: tuple[str, ...]) -> None:
    if url not in accepted:
        _refuse(
            f"the `url` is {describe(url)}, and only chat completions are answered here; give"
            f" {accepted[0]} with a body for it, or leave the `url` out"
        )


def _refuse(problem: str) -> NoReturn:
    raise InvalidRequestError(problem)
