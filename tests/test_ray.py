"""`aimlchat.ray` without ray; with it, the tests are in ``tests/ray_data``."""

import sys

import pytest

from aimlchat import ConfigurationError
from aimlchat.ray import answer


def test_a_missing_ray_is_an_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ConfigurationError, match=r'as in: pip install "\.\[ray\]"'):
        answer(object())
