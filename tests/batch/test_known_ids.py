"""The table of known ids."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from aimlchat.batch.known_ids import FAILED, IN_INPUT, IN_OUTPUT, Ledger, key_of

KEYS = st.integers(1, 2**64 - 1) | st.integers(1, 40)


@given(st.lists(st.tuples(KEYS, st.sampled_from([IN_OUTPUT, FAILED, IN_INPUT])), max_size=60))
def test_it_knows_what_a_dict_would_know(notes):
    ledger, known = Ledger(), {}
    for key, flags in notes:
        ledger.note(key, flags)
        known[key] = known.get(key, 0) | flags
    assert all(ledger.flags(key) == flags for key, flags in known.items())
    assert ledger.flags(max(known, default=1) ^ 1 << 50) in (0, *known.values())


def test_it_forgets_nothing_as_it_grows():
    ledger = Ledger()
    for number in range(5000):
        ledger.note(key_of(number), IN_OUTPUT, bytes([number % 251 + 1]) * 16)
    assert all(ledger.flags(key_of(number)) == IN_OUTPUT for number in range(5000))
    assert not any(ledger.is_changed(key_of(n), bytes([n % 251 + 1]) * 16) for n in range(5000))
    assert all(ledger.is_changed(key_of(n), bytes([n % 251 + 2]) * 16) for n in range(5000))
    assert not any(ledger.flags(key_of(number)) for number in range(5000, 10_000))


def test_a_number_and_its_digits_are_one_id():
    assert key_of(17) == key_of("17") != key_of("017")


def test_it_takes_less_than_fifty_bytes_an_id():
    tracemalloc.start()
    ledger = Ledger()
    for number in range(100_000):
        ledger.note(number * 0x9E3779B97F4A7C15 % 2**64 or 1, IN_OUTPUT)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 50 * 100_000
