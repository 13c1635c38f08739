"""``python -m aimlchat.cli`` is ``aimlchat``."""

from . import main

main()
