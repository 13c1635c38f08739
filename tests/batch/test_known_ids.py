"""The table of known ids and their flags."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat.batch.known_ids import FAILED, IN_INPUT, IN_OUTPUT, KnownIds, hash_id, parse_digest

KEYS = st.integers(1, 2**64 - 1) | st.integers(1, 40)


@given(st.lists(st.tuples(KEYS, st.sampled_from([IN_OUTPUT, FAILED, IN_INPUT])), max_size=60))
def test_the_table_has_the_flags_that_a_dict_would_have(notes):
    known_ids, known = KnownIds(), {}
    for key, flags in notes:
        known_ids.add(key, flags)
        known[key] = known.get(key, 0) | flags
    assert all(known_ids.get_flags(key) == flags for key, flags in known.items())
    assert known_ids.get_flags(max(known, default=1) ^ 1 << 50) in (0, *known.values())


def test_the_table_keeps_flags_and_digests_as_it_grows():
    known_ids = KnownIds()
    for number in range(5000):
        known_ids.add(hash_id(number), IN_OUTPUT, bytes([number % 251 + 1]) * 16)
    assert all(known_ids.get_flags(hash_id(number)) == IN_OUTPUT for number in range(5000))
    assert not any(
        known_ids.has_changed(hash_id(n), bytes([n % 251 + 1]) * 16) for n in range(5000)
    )
    assert all(known_ids.has_changed(hash_id(n), bytes([n % 251 + 2]) * 16) for n in range(5000))
    assert not any(known_ids.get_flags(hash_id(number)) for number in range(5000, 10_000))


def test_a_number_and_its_digits_have_the_same_key():
    assert hash_id(17) == hash_id("17") != hash_id("017")


def test_the_table_takes_less_than_fifty_bytes_per_id():
    tracemalloc.start()
    known_ids = KnownIds()
    for number in range(20_000):
        known_ids.add(number * 0x9E3779B97F4A7C15 % 2**64 or 1, IN_OUTPUT)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 50 * 20_000


@pytest.mark.parametrize("text", ["", "xyz", "ab", "ab" * 17, None, 5, ["ab"], {}, True, 1e300])
def test_a_digest_that_is_not_valid_counts_as_unknown(text):
    assert parse_digest(text) == b""


def test_a_valid_digest_is_read_from_its_hexadecimal_form():
    assert parse_digest("00ff" * 8) == b"\x00\xff" * 8
