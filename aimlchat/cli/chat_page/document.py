"""The page as one document: its style and its scripts stand in it, and nothing else can run."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from importlib import resources

import attrs

__all__ = ["Document", "document"]

_FOLDER = resources.files(__package__) / "page"
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w./]+)">')
_SCRIPT = re.compile(r'<script src="([\w./]+)"></script>')


@attrs.frozen
class Document:
    """The HTML, and the ``Content-Security-Policy`` to send with it."""

    html: str
    policy: str


@functools.cache
def document() -> Document:
    """Put the page together out of its files; done once.

    The policy names each style and script by its hash, so that nothing an answer could smuggle in
    runs; loads nothing from elsewhere; and lets HTML into the page by the sanitizer alone.
    """
    styles: list[str] = []
    scripts: list[str] = []
    html = _text("index.html")
    html = _STYLE.sub(lambda found: _inlined("style", found[1], styles), html)
    html = _SCRIPT.sub(lambda found: _inlined("script", found[1], scripts), html)
    policy = (
        "default-src 'none'",
        f"script-src {' '.join(scripts)}",
        f"style-src {' '.join(styles)}",
        "img-src data:",  # the icon; an answer's pictures become links
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    )
    return Document(html, "; ".join(policy))


def _inlined(tag: str, path: str, hashes: list[str]) -> str:
    text = _text(path)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    hashes.append(f"'sha256-{digest}'")
    return f"<{tag}>{text}</{tag}>"


def _text(path: str) -> str:
    return _FOLDER.joinpath(path).read_text(encoding="utf-8")
