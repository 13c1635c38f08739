"""The balance of an account, in either of the two forms that the vendor has documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat.completions import CREDITS_PER_USD, Balance
from aimlchat.errors import ProtocolError

from .lenient import read_float

if TYPE_CHECKING:
    from typing import Any

__all__ = ["parse_balance"]


def parse_balance(body: Any) -> Balance:
    """Parse the body of ``GET /v2/billing`` or of ``GET /v1/billing/balance``.

    The first gives ``current_balance`` and its ``currency``, the older one ``balance`` in credits.
    An amount in a currency other than US dollars is only in `Balance.raw`. Raises `ProtocolError`
    if the body is not a JSON object.
    """
    if not isinstance(body, dict):
        msg = f"the balance is not a JSON object but of type {type(body).__name__}"
        raise ProtocolError(msg)
    usd = read_float(body.get("current_balance"))
    if str(body.get("currency") or "USD").upper() != "USD":
        usd = None
    amount = read_float(body.get("balance"))
    if usd is None and amount is not None:
        return Balance(amount / CREDITS_PER_USD, amount, body)
    return Balance(usd, None if usd is None else usd * CREDITS_PER_USD, body)
