"""The chat page: what it may load, and that it loads nothing else."""

from __future__ import annotations

import re

import pytest

from app.chat_page import FILES
from tests.app.conftest import Gateway


@pytest.mark.parametrize("path", FILES)
async def test_page_is_served_under_a_strict_policy(gateway: Gateway, path: str) -> None:
    async with gateway.http.get(gateway.url + path) as response:
        assert response.status == 200
        assert response.content_type == FILES[path][1]
        policy = dict(directive.split(" ", 1) for directive in response.headers["content-security-policy"].split("; "))
        etag = response.headers["etag"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'self'", "'none'"}
    async with gateway.http.get(gateway.url + path, headers={"if-none-match": etag}) as response:
        assert response.status == 304
        assert await response.read() == b""


async def test_page_holds_to_its_policy(gateway: Gateway) -> None:
    texts = {}
    for path in FILES:
        async with gateway.http.get(gateway.url + path) as response:
            texts[path] = await response.text()
    page = texts["/"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    loaded = set(re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page))
    assert {f"/{name}" for name in loaded} | {"/"} == set(FILES)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", "".join(texts.values()))
    assert "localStorage" not in texts["/chat.js"]
    assert "innerHTML" not in texts["/chat.js"]


async def test_every_element_that_the_script_names_is_on_the_page(gateway: Gateway) -> None:
    async with gateway.http.get(gateway.url + "/") as page, gateway.http.get(gateway.url + "/chat.js") as script:
        named = set(re.findall(r'\$\("([\w-]+)"\)', await script.text()))
        there = set(re.findall(r'\bid="([\w-]+)"', await page.text()))
    assert named
    assert named <= there
