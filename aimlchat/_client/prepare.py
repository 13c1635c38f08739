"""What a caller hands over, made ready to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._payload.build import build_payload, check_client_request_id
from aimlchat._payload.json_values import refuse
from aimlchat.request import ChatRequest, freeze_tools

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RawRequest", "RequestFields"]


@attrs.frozen
class RequestFields:
    """A text or messages with options, on their way out at once: nothing has to be copied.

    What a `ChatRequest` of the same fields would send; its constructor is a fifth of the cost of a
    whole completion on our side. Raises `TypeError` for an option that is none.
    """

    fields: dict[str, Any]

    def __attrs_post_init__(self) -> None:
        """Name what is no option as a constructor would."""
        for name in self.fields.keys() - _OPTIONS:
            msg = f"ChatRequest.__init__() got an unexpected keyword argument {name!r}"
            raise TypeError(msg)
        if "system" in self.fields:
            self.fields["_system"] = self.fields.pop("system")
        if "tools" in self.fields:
            self.fields["tools"] = freeze_tools(self.fields["tools"])

    @property
    def client_request_id(self) -> str | None:
        """The caller's own name for the call."""
        return self.fields.get("client_request_id")

    def to_request(self) -> ChatRequest:
        """Return the same as a request that can be kept."""
        fields = dict(self.fields)
        return ChatRequest(system=fields.pop("_system", None), **fields)

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
        """Return the JSON body; raises `InvalidRequestError`."""
        return build_payload(self.fields, stream=stream)


@attrs.frozen
class RawRequest:
    """A body that is sent as it stands, in the dialect that it was written in; nothing is checked.

    For whole completions: raises `InvalidRequestError` for a body that asks for a stream.
    """

    body: Mapping[str, Any]
    client_request_id: str | None = None

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
        """Return the body."""
        if stream or self.body.get("stream"):
            refuse("a body that is sent as it stands is answered whole; leave out stream", "stream")
        check_client_request_id(self.client_request_id)
        return dict(self.body)


_OPTIONS = frozenset(field.alias for field in attrs.fields(ChatRequest))
