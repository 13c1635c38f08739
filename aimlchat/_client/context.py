"""`CallContext`, what all calls of a session share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .retry import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.records import CallRecord, RetryRecord

    from .masking import MaskedStr
    from .prepare import RequestDefaults
    from .rate_limit import RateLimiter
    from .timers import TimeoutScheduler
    from .transport import Transport

__all__ = ["CallContext"]


class CallContext(msgspec.Struct, eq=False):
    """What all calls of a session share: transport, limits, timeouts, key, defaults and hooks."""

    transport: Transport
    limiter: RateLimiter
    scheduler: TimeoutScheduler
    api_key: MaskedStr
    defaults: RequestDefaults
    on_retry: Callable[[RetryRecord], object] | None = None
    on_finish: Callable[[CallRecord], object] | None = None
    retry_budget: RetryBudget = msgspec.field(default_factory=RetryBudget)
