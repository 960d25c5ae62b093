"""The pages: what they may load, and that they load nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import chat_page
from app.chat_page import FILES
from tests.app.conftest import Gateway

FOLDER = Path(chat_page.__file__).parent / "page"
PAGES = ["index.html", "usage.html"]


def loaded(page: str) -> set[str]:
    """The files that a page loads, also through its scripts."""
    found = set(re.findall(r'<(?:link|script)[^>]*(?:src|href)="(?!data:)([^"]+)"', (FOLDER / page).read_text()))
    while more := {name for file in found for name in imported(file)} - found:
        found |= more
    return found


def imported(file: str) -> set[str]:
    return set(re.findall(r'^import .* from "\./([^"]+)";$', (FOLDER / file).read_text(), flags=re.MULTILINE))


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


def test_every_file_is_served_and_loaded() -> None:
    files = {name for name, _ in FILES.values()}
    assert files | {"usage.html"} == {path.name for path in FOLDER.iterdir()}
    assert {name for page in PAGES for name in loaded(page)} | {"index.html"} == files
    assert all(path == f"/{name}" for path, (name, _) in FILES.items() if path != "/")


@pytest.mark.parametrize("page", PAGES)
def test_page_holds_to_its_policy(page: str) -> None:
    text = (FOLDER / page).read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    scripts = [name for name in loaded(page) if name.endswith(".js")]
    assert scripts
    for name in [page, *loaded(page)]:
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", (FOLDER / name).read_text())
    for name in scripts:
        assert not re.search(r"localStorage|innerHTML|insertAdjacentHTML|\beval\b|setAttribute\(\"style", (FOLDER / name).read_text())


@pytest.mark.parametrize("page", PAGES)
def test_every_element_that_the_scripts_name_is_on_the_page(page: str) -> None:
    named = {name for file in loaded(page) if file.endswith(".js") for name in re.findall(r'\$\("([\w-]+)"\)', (FOLDER / file).read_text())}
    there = re.findall(r'\bid="([\w-]+)"', (FOLDER / page).read_text())
    assert named
    assert named <= set(there)
    assert len(there) == len(set(there))
