"""Amounts of money in words."""

import pytest

from aimlchat.cli.money import format_dollars


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.1 + 0.2, "$0.30"),
        (1234567.1, "$1,234,567.10"),
        (0.0, "$0.00"),
        (-0.0, "$0.00"),
        (-1e-9, "$0.00"),
        (-1.5, "-$1.50"),
        (4e-7, "less than $0.000001"),
    ],
)
def test_an_amount_has_no_float_dust_and_its_sign_before_the_dollar(usd, text):
    assert format_dollars(usd) == text
