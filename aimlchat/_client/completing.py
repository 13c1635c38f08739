"""A whole completion from one call, and the report of how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aimlchat._protocol.whole import parse_completion
from aimlchat.errors import AIMLChatError

from .call import Call

if TYPE_CHECKING:
    from aimlchat.completions import Completion

    from .context import CallContext
    from .prepare import CallSpec
    from .response import OpenResponse
    from .run_control import RunCall

__all__ = ["complete"]


async def complete(
    context: CallContext, spec: CallSpec, observer: RunCall | None = None
) -> Completion[Any]:
    """Return the whole completion that a caller has requested, and report how the call ended.

    Raises an `AIMLChatError`. Cancelling closes the connection.
    """
    call = Call(context, spec, observer)
    try:
        if spec.output_type is None:
            completion = await call.read_whole(_parse_completion)
        else:
            from .corrections import Corrections  # noqa: PLC0415 - few calls need it

            completion = await Corrections(spec, context).complete(call)
    except AIMLChatError as error:
        call.finish("error", error=error)
        raise
    except asyncio.CancelledError:
        call.finish("cancelled")
        raise
    except BaseException:
        call.finish("error")
        raise
    call.finish("complete", completion=lambda: completion)
    return completion if call.bills is None else call.bills.add_to(completion)


def _parse_completion(data: bytes, opened: OpenResponse) -> Completion:
    return parse_completion(data, opened.request.model, **opened.metadata)
