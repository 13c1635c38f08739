"""The check of the input: which of its requests are sent, and which lines cannot be."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import attrs

from aimlchat._payload.json_values import describe

from .errors import InputError
from .input_lines import get_content_digest
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, ON_SERVER, hash_id
from .problems import LineProblems

if TYPE_CHECKING:
    from collections.abc import Callable

    from .input_lines import InputRequest
    from .known_ids import KnownIds
    from .shard import Shard

__all__ = ["CheckedInput", "InputCheck"]


@attrs.frozen
class CheckedInput:
    """The result of checking the input.

    ``pending`` has a byte for each line, 1 if its request has to be sent. ``hashes`` has the hash
    of each line, and ``digests`` the digest of its request without the model, so that the digest of
    a line that has not changed is not computed twice. ``total`` is the number of requests,
    ``before`` the number of those that already have a result in the output, and ``failed_before``
    the number of failures among these. ``others`` is the number of requests in other shards, which
    are not part of the total.
    """

    pending: bytearray
    hashes: array[int]
    digests: array[int]
    total: int
    before: int
    failed_before: int
    others: int = 0


class InputCheck:
    """Checks requests one by one, and collects the problems of their lines."""

    def __init__(
        self, name: str, known_ids: KnownIds, shard: Shard | None, *, retry_failed: bool
    ) -> None:
        self._name = name
        self._known_ids = known_ids
        self._shard = shard
        self._retry_failed = retry_failed
        self._pending = bytearray()
        self._hashes = array("q")
        self._digests = array("Q")
        self._total = self._before = self._failed_before = self._others = 0
        self._problems = LineProblems(name)
        self._advice = ""
        self._with_other_model: tuple[int, str | int] | None = None
        self._is_default_model_known = False

    def add(
        self,
        number: int,
        text: bytes,
        request: InputRequest,
        build: Callable[[InputRequest], object],
    ) -> bool:
        """Check a request and count it; return whether an earlier line has its id.

        ``text`` is the line that the request was parsed from. ``build`` raises `ValueError` for a
        request that cannot be sent. A request of another shard is checked alike, so that all shards
        refuse the same input.
        """
        custom_id = request.custom_id
        key = hash_id(custom_id)
        try:
            build(request)
            if self._shard is not None and not self._shard.has(key):
                self._others += 1
                return False
            digest = request.compute_digest()
        except ValueError as error:
            self._problems.add(number, f"the request {describe(custom_id)}: {error}")
            return False
        is_pending = True
        if flags := self._known_ids.add_new(key, IN_INPUT, digest):
            if flags & IN_INPUT:
                return True
            is_retried = self._retry_failed and flags & FAILED
            if not is_retried:
                self._compare(number, request, key, digest)
            self._known_ids.add(key, IN_INPUT, digest)
            is_done = bool(flags & IN_OUTPUT and not is_retried)
            self._before += is_done
            self._failed_before += bool(is_done and flags & FAILED)
            is_pending = not is_done and not flags & ON_SERVER
        self._total += 1
        if gap := number - 1 - len(self._pending):  # blank lines
            self._pending.extend(bytes(gap))
            self._hashes.frombytes(bytes(8 * gap))
            self._digests.frombytes(bytes(8 * gap))
        self._pending.append(is_pending)
        self._hashes.append(hash(text))
        self._digests.append(get_content_digest(digest))
        return False

    def add_unreadable(self, number: int, problem: str, first_line: bytes) -> None:
        """Add a line that is not a request; ``first_line`` is its text if it is the first one."""
        self._problems.add(number, problem)
        if first_line and not first_line.startswith((b"{", b"[")):
            kind = "CSV" if b"," in first_line or b"\t" in first_line else "plain text"
            self._advice = f"it looks like {kind}; give one JSON object per line"

    def add_object_on_lines(self, number: int, last: int) -> None:
        """Add an object that continues over several lines."""
        problem = (
            f"the object goes on to line {last}, as in pretty-printed JSON; put each object on one"
            " line, as `jq -c .` does"
        )
        self._problems.add(number, problem)

    def add_repeated(
        self, number: int, custom_id: str | int, find_line: Callable[[str | int], int]
    ) -> None:
        """Add a line whose id an earlier line has; ``find_line`` returns that line's number."""
        # Finding it requires reading the file again.
        first = 0 if self._problems.is_full else find_line(custom_id)
        problem = (
            f"line {first} already has the id {describe(custom_id)}; give each request its own id"
        )
        self._problems.add(number, problem)

    def finish(self) -> CheckedInput:
        """Return the result. Raises `InputError` if any line cannot be sent."""
        if self._with_other_model and not self._is_default_model_known:
            # Otherwise an earlier run with `retry_failed` used another model for some of them.
            self._add_changed(*self._with_other_model)
        if self._problems.count:
            lines = self._problems.describe("cannot be sent")
            if self._advice and not self._total + self._others:
                lines.append(f"{self._name}: {self._advice}")
            raise InputError("\n".join(lines), line=self._problems.first_line)
        return CheckedInput(
            self._pending,
            self._hashes,
            self._digests,
            self._total,
            self._before,
            self._failed_before,
            self._others,
        )

    def _compare(self, number: int, request: InputRequest, key: int, digest: bytes) -> None:
        """Compare a request with the one whose result, or whose batch, is known."""
        has_other_model = self._known_ids.has_other_model(key, digest)
        has_changed = self._known_ids.has_changed(key, digest)
        if has_changed or (has_other_model and request.names_model):
            self._add_changed(number, request.custom_id)
        elif not has_other_model:
            self._is_default_model_known |= not request.names_model
        elif not self._retry_failed and self._with_other_model is None:
            # The model is the default, and may be another one by mistake.
            self._with_other_model = (number, request.custom_id)

    def _add_changed(self, number: int, custom_id: str | int) -> None:
        problem = (
            f"the request {describe(custom_id)} differs from the one whose result the output"
            " already has, perhaps only in its model; give it another id, or write to another"
            " output"
        )
        self._problems.add(number, problem)
