"""Opening the cassette of an emulator, if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from .playback import Playback

__all__ = ["open_cassette"]


def open_cassette(
    cassette: str | os.PathLike[str] | None, record_from: str | None, replay_speed: float
) -> Playback | None:
    """Open the cassette of an emulator, None if it has none.

    Args:
        cassette: the file.
        record_from: the base URL of the server that is recorded, None to record nothing.
        replay_speed: how much faster than recorded the responses are sent.
    """
    if cassette is not None:
        # Loaded on use: most emulators have no cassette.
        from .playback import Playback  # noqa: PLC0415

        return Playback(cassette, record_from, replay_speed)
    if record_from is not None:
        msg = "record_from needs a file to record to; add cassette="
        raise ValueError(msg)
    return None
