"""The page is one document, and its policy allows only its own styles and scripts."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from aimlchat.cli.chat_page.page_html import build_page_html

PAGE = resources.files("aimlchat.cli.chat_page") / "page"
VENDOR = PAGE / "vendor"


def count_files(tag):
    source = PAGE.joinpath("index.html").read_text(encoding="utf-8")
    return source.count({"script": "<script src=", "style": '<link rel="stylesheet"'}[tag])


def hash_inlined(tag):
    inlined = re.findall(rf"<{tag}>(.*?)</{tag}>", build_page_html().html, re.DOTALL)
    digests = (hashlib.sha256(text.encode()).digest() for text in inlined)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def parse_policy():
    parts = (part.split() for part in build_page_html().policy.split("; "))
    return {name: values for name, *values in parts}


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_policy_allows_each_script_and_style_by_its_hash(tag):
    assert parse_policy()[f"{tag}-src"] == hash_inlined(tag)
    assert len(hash_inlined(tag)) == count_files(tag) > 0


def test_the_policy_allows_nothing_from_elsewhere():
    policy = parse_policy()

    assert policy["default-src"] == ["'none'"]
    assert policy["connect-src"] == ["'self'"]
    assert policy["img-src"] == ["data:"]
    assert policy["require-trusted-types-for"] == ["'script'"]
    assert policy["trusted-types"] == ["dompurify"]
    assert "unsafe" not in build_page_html().policy


def test_the_document_loads_nothing():
    without_code = re.sub(r"<(script|style)>.*?</\1>", "", build_page_html().html, flags=re.DOTALL)

    assert not re.search(r"<script|\ssrc=|@import|rel=\"?stylesheet", without_code)
    assert re.findall(r'href="(\w+:)', without_code) == ["data:"]
    assert not re.search(r"\son\w+=|style=", without_code)


def test_no_inlined_script_contains_markup_that_changes_where_it_ends():
    """Even in a string or a regular expression, it would change how HTML reads the page."""
    scripts = re.findall(r"<script>(.*?)</script>", build_page_html().html, re.DOTALL)

    assert any(r"\x3cscript" in script for script in scripts)
    for script in scripts:
        assert not re.search(r"</?script|<!--", script, re.IGNORECASE)


@pytest.mark.parametrize(
    ("package", "file", "license_text"),
    [
        ("marked", "marked.umd.js", "Permission is hereby granted, free of charge"),
        ("dompurify", "purify.min.js", "Apache License"),
        ("temml", "temml.min.js", "Permission is hereby granted, free of charge"),
        ("highlight.js", "highlight.min.js", "Redistribution and use in source and binary forms"),
    ],
)
def test_vendored_packages_have_their_license_and_the_version_in_the_readme(
    package, file, license_text
):
    readme = VENDOR.joinpath("README.md").read_text(encoding="utf-8")
    version = re.search(rf"`(?:@\w+/)?{package}`.*?\| ([\d.]+) \|", readme)[1]

    source = VENDOR.joinpath(file).read_text(encoding="utf-8")
    banner = rf"{package} v?{re.escape(version)} |version:\"{re.escape(version)}\""
    assert re.search(banner, source, re.IGNORECASE)
    assert license_text in VENDOR.joinpath(f"LICENSE-{package}").read_text(encoding="utf-8")


async def test_the_page_is_served_with_its_policy_and_an_id_for_each_load(browser):
    page_ids = set()
    for _ in range(2):
        async with browser.get() as response:
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert response.headers["Content-Security-Policy"] == build_page_html().policy
            html = await response.text()
        page_id = re.search(r'<meta name="page-id" content="(\w{16})">', html)[1]
        assert html.replace(page_id, "") == build_page_html().html
        page_ids.add(page_id)
    assert len(page_ids) == 2
