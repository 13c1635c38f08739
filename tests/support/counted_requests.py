"""A source of requests that counts how many were taken from it."""


class CountedRequests:
    """An iterator over prompts; ``pulled`` counts those that were taken. ``limit`` ends it."""

    def __init__(self, limit=None) -> None:
        self.pulled = 0
        self._limit = limit

    def __iter__(self):
        return self

    def __next__(self):
        if self.pulled == self._limit:
            raise StopIteration
        self.pulled += 1
        return f"Question {self.pulled - 1}"
