"""The page is one document that loads nothing and runs nothing but itself."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from aimlchat.cli.chat_page.document import document

VENDOR = resources.files("aimlchat.cli.chat_page") / "page" / "vendor"


def hashes(tag):
    inlined = re.findall(rf"<{tag}>(.*?)</{tag}>", document().html, re.DOTALL)
    digests = (hashlib.sha256(text.encode()).digest() for text in inlined)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def directives():
    parts = (part.split() for part in document().policy.split("; "))
    return {name: values for name, *values in parts}


@pytest.mark.parametrize("tag", ["script", "style"])
def test_each_script_and_style_is_allowed_by_its_hash_and_nothing_else_is(tag):
    assert directives()[f"{tag}-src"] == hashes(tag)
    assert len(hashes(tag)) == {"script": 6, "style": 1}[tag]


def test_the_policy_allows_nothing_else():
    policy = directives()

    assert policy["default-src"] == ["'none'"]
    assert policy["connect-src"] == ["'self'"]
    assert policy["img-src"] == ["data:"]
    assert policy["require-trusted-types-for"] == ["'script'"]
    assert policy["trusted-types"] == ["dompurify"]
    assert "unsafe" not in document().policy


def test_nothing_is_loaded_from_anywhere():
    without_code = re.sub(r"<(script|style)>.*?</\1>", "", document().html, flags=re.DOTALL)

    assert not re.search(r"<script|\ssrc=|@import|rel=\"?stylesheet", without_code)
    assert re.findall(r'href="(\w+:)', without_code) == ["data:"]
    assert not re.search(r"\son\w+=|style=", without_code)


def test_no_script_ends_before_its_end():
    """An HTML parser ends a script at these words, wherever in it they stand."""
    page = resources.files("aimlchat.cli.chat_page") / "page"
    for script in (*page.glob("*.js"), *VENDOR.glob("*.js")):
        assert not re.search(r"</?script", script.read_text(encoding="utf-8"), re.IGNORECASE)


@pytest.mark.parametrize(
    ("package", "file", "licence"),
    [
        ("marked", "marked.umd.js", "Permission is hereby granted, free of charge"),
        ("dompurify", "purify.min.js", "Apache License"),
    ],
)
def test_what_others_wrote_has_its_licence_and_its_noted_version(package, file, licence):
    readme = VENDOR.joinpath("README.md").read_text(encoding="utf-8")
    version = re.search(rf"`{package}`.*?\| ([\d.]+) \|", readme)[1]

    banner = VENDOR.joinpath(file).read_text(encoding="utf-8")[:300]
    assert re.search(rf"{package} v?{re.escape(version)} ", banner, re.IGNORECASE)
    assert licence in VENDOR.joinpath(f"LICENSE-{package}").read_text(encoding="utf-8")


async def test_the_page_is_served_with_its_policy(visitor):
    async with visitor.get() as response:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == document().policy
        assert await response.text() == document().html
