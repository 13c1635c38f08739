"""The settings of a session: what its constructor takes, checked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import msgspec

from aimlchat.errors import ConfigurationError
from aimlchat.policies import Limits, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import Callable, Mapping

    import aiohttp

    from aimlchat.records import CallRecord, RetryRecord

    from .masking import MaskedStr

__all__ = ["SessionSettings", "check_policy"]

_T = TypeVar("_T")
# The name of each policy's argument, and an example.
_POLICIES: dict[type, tuple[str, str]] = {
    Timeouts: ("timeouts", "Timeouts(deadline=30)"),
    RetryPolicy: ("retry", "RetryPolicy(attempts=3)"),
    Limits: ("limits", "Limits(concurrency=10)"),
}


class SessionSettings(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What the constructor of `aimlchat.ChatSession` takes, with its defaults filled in.

    The key, the values of the headers and the URLs are masked. Copies of a session, even deep ones,
    share its settings: a hook or a borrowed session is the caller's own object.
    """

    api_key: MaskedStr
    base_url: str
    model: str
    budget_usd: float | None
    timeouts: Timeouts
    retry: RetryPolicy
    limits: Limits
    headers: Mapping[str, str]
    proxy: str | None
    ssl: ssl_module.SSLContext | bool | None
    trust_env: bool
    http: aiohttp.ClientSession | None
    on_retry: Callable[[RetryRecord], object] | None
    on_finish: Callable[[CallRecord], object] | None

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a setting of another type.

        The transport checks those whose types are aiohttp's.
        """
        proxy = "" if self.proxy is None else self.proxy
        texts = {"base_url": self.base_url, "model": self.model, "proxy": proxy}
        for name, text in texts.items():
            if not isinstance(text, str):
                _refuse(name, text, f"give a str, as in {name}=str(...)")
        check_policy(self.timeouts, Timeouts)
        check_policy(self.retry, RetryPolicy)
        check_policy(self.limits, Limits)
        for name, hook in {"on_retry": self.on_retry, "on_finish": self.on_finish}.items():
            if hook is not None and not callable(hook):
                _refuse(name, hook, "give a function that takes the record")
            if inspect.iscoroutinefunction(hook):
                msg = f"{name}= is a coroutine function, which is never awaited; give a plain one"
                raise ConfigurationError(msg)

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        for name in ("http", "ssl"):
            if not isinstance(getattr(self, name), bool | None):
                msg = (
                    f"a ChatSession with {name}= cannot be pickled, since that belongs to its"
                    " process; create the session in the process that uses it"
                )
                raise TypeError(msg)
        return super().__reduce__()


def check_policy(value: Any, kind: type[_T]) -> _T:
    """Return one of the policies of a session or a call.

    Raises `ConfigurationError` for another type, such as the number of seconds that other libraries
    take for a timeout.
    """
    if isinstance(value, kind):
        return value
    name, example = _POLICIES[kind]
    return _refuse(name, value, f"give a policy, as in {name}={example}")


def _refuse(name: str, value: Any, advice: str) -> NoReturn:
    kind = value if isinstance(value, type) else type(value)  # what masking leaves of an object
    msg = f"{name}= is an object of type {kind.__name__}; {advice}"
    raise ConfigurationError(msg)
