"""The chat page as one HTML document, and the content security policy that protects it."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from importlib import resources

import attrs

__all__ = ["PageHtml", "build_page_html"]

_FOLDER = resources.files(__package__) / "page"
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w./]+)">')
_SCRIPT = re.compile(r'<script src="([\w./]+)"></script>')
# Text that changes how HTML reads the rest of an inline script. The highlighter contains it in
# regular expressions, where \x3c means the same as <.
_SCRIPT_MARKUP = re.compile(r"<(?=/?script|!--)", re.IGNORECASE)

_NO_PAGE_ID = '<meta name="page-id" content="">'


@attrs.frozen
class PageHtml:
    """The HTML, and the value of the ``Content-Security-Policy`` header to send with it."""

    html: str
    policy: str

    def with_id(self, page_id: str) -> str:
        """Return the HTML for one load of the page, which finds its id there."""
        return self.html.replace(_NO_PAGE_ID, _NO_PAGE_ID.replace('""', f'"{page_id}"'), 1)


@functools.cache
def build_page_html() -> PageHtml:
    """Build the page from its files, with styles and scripts inlined.

    The policy allows each style and script by its hash, and no other, so that nothing injected by
    an answer runs. It loads nothing from other origins, and only the sanitizer may turn text into
    HTML (trusted types).
    """
    style_hashes: list[str] = []
    script_hashes: list[str] = []
    html = _read_file("index.html")
    html = _STYLE.sub(lambda match: _inline("style", match[1], style_hashes), html)
    html = _SCRIPT.sub(lambda match: _inline("script", match[1], script_hashes), html)
    policy = (
        "default-src 'none'",
        f"script-src {' '.join(script_hashes)}",
        f"style-src {' '.join(style_hashes)}",
        "img-src data:",  # the icon of the page; images in answers become links
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    )
    return PageHtml(html, "; ".join(policy))


def _inline(tag: str, path: str, hashes: list[str]) -> str:
    """Return a file as an inline element, and append its hash to ``hashes``."""
    text = _read_file(path)
    if tag == "script":
        text = _SCRIPT_MARKUP.sub(r"\\x3c", text)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    hashes.append(f"'sha256-{digest}'")
    return f"<{tag}>{text}</{tag}>"


def _read_file(path: str) -> str:
    return _FOLDER.joinpath(path).read_text(encoding="utf-8")
