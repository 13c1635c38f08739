"""`CallContext`, what all calls of a session share, and how it is built from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .credentials import HEADER_NAMES, override_headers
from .masking import MaskedStr
from .prepare import RequestDefaults
from .rate_limit import RateLimiter
from .retry import RetryBudget
from .timers import TimeoutScheduler
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aimlchat.records import CallRecord, RetryRecord

    from .model_hints import ModelHints
    from .settings import SessionSettings
    from .spending import Spending
    from .timers import Clock
    from .tracing import Tracing

__all__ = ["CallContext", "build_context"]


class CallContext(msgspec.Struct, eq=False):
    """What all calls of a session share: transport, limits, timeouts, key, defaults and hooks."""

    transport: Transport
    limiter: RateLimiter
    scheduler: TimeoutScheduler
    api_key: MaskedStr
    defaults: RequestDefaults
    keyless_headers: Mapping[str, str]
    """The headers of requests to endpoints that need no key."""
    on_retry: Callable[[RetryRecord], object] | None = None
    on_finish: Callable[[CallRecord], object] | None = None
    retry_budget: RetryBudget = msgspec.field(default_factory=RetryBudget)
    spending: Spending | None = None
    """What the server has charged, if the session has a budget."""
    model_hints: ModelHints | None = None
    """Made by the first error that may mean "no such model"."""
    tracing: Tracing | None = None
    """What traces the calls, if the session is instrumented."""


def build_context(settings: SessionSettings, clock: Clock) -> CallContext:
    """Build what all calls of a session share; nothing is opened yet."""
    spending = None
    if settings.budget_usd is not None:
        from .spending import Spending  # noqa: PLC0415 - few sessions have a budget

        spending = Spending(settings.budget_usd)
    return CallContext(
        transport=Transport(
            settings.base_url,
            proxy=settings.proxy,
            ssl=settings.ssl,
            trust_env=settings.trust_env,
            http=settings.http,
            limits=settings.limits,
        ),
        limiter=RateLimiter(settings.limits, clock),
        scheduler=TimeoutScheduler(clock),
        api_key=settings.api_key,
        defaults=RequestDefaults(
            model=settings.model,
            headers=override_headers(
                {
                    HEADER_NAMES["Authorization"]: MaskedStr(f"Bearer {settings.api_key}"),
                    HEADER_NAMES["Content-Type"]: "application/json",
                },
                settings.headers,
            ),
        ),
        keyless_headers=settings.headers,
        on_retry=settings.on_retry,
        on_finish=settings.on_finish,
        spending=spending,
    )
