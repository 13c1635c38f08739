"""Makes ``python -m aimlchat.cli`` the same as ``aimlchat``."""

from . import main

main()
