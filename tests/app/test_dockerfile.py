"""The image's description: what a build engine would be needed for is left out, everything else is held here."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Step(NamedTuple):
    word: str
    rest: str


def read() -> list[Step]:
    text = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()))
    return [Step(*line.split(None, 1)) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return read()


@pytest.fixture(scope="module")
def final(steps: list[Step]) -> list[Step]:
    """The stage that becomes the image."""
    start = max(index for index, step in enumerate(steps) if step.word == "FROM")
    return steps[start:]


def one(stage: list[Step], word: str) -> str:
    (found,) = [step.rest for step in stage if step.word == word]
    return found


def environment(stage: list[Step]) -> dict[str, str]:
    return dict(pair.split("=", 1) for step in stage if step.word == "ENV" for pair in step.rest.split())


def test_only_known_instructions(steps: list[Step]) -> None:
    known = {"FROM", "ENV", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"}
    assert {step.word for step in steps} <= known


def test_both_stages_are_the_same_slim_python_of_any_platform(steps: list[Step]) -> None:
    images = [step.rest.split() for step in steps if step.word == "FROM"]
    assert {image[0] for image in images} == {"python:3.13-slim"}
    assert len(images) == 2
    assert not any("--platform" in word for image in images for word in image)


def test_sources_exist_and_reach_the_builder(steps: list[Step]) -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[:2] == ["*", "!app/"]
    sources = [source for step in steps if step.word == "COPY" and "--from" not in step.rest for source in step.rest.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert source.startswith("app/")
        assert not any(fnmatch(source, pattern) for pattern in ignored[2:])


def test_image_holds_the_app_and_its_packages_alone(final: list[Step]) -> None:
    copied = [step.rest.split() for step in final if step.word == "COPY"]
    assert copied == [["--from=build", "/venv", "/venv"], ["--from=build", "/srv/app", "/srv/app"]]
    assert not [step for step in final if step.word == "RUN"]


def test_packages_are_checked_by_hash_and_every_one_has_one(steps: list[Step]) -> None:
    (install,) = [step.rest for step in steps if step.word == "RUN" and "install" in step.rest.split()]
    assert "--require-hashes" in install
    locked = re.split(r"(?m)^(?=\w)", (ROOT / "app/requirements.txt").read_text())[1:]
    assert locked
    assert all("--hash=sha256:" in entry for entry in locked if "==" in entry)


def test_user_is_a_number_and_not_root(final: list[Step]) -> None:
    user, group = one(final, "USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_nothing_is_written_at_run_time(steps: list[Step], final: list[Step]) -> None:
    assert environment(final)["PYTHONDONTWRITEBYTECODE"] == "1"
    assert any("compileall" in step.rest and "/srv/app" in step.rest and "/venv" in step.rest for step in steps if step.word == "RUN")


def test_process_gets_signals_itself(final: list[Step]) -> None:
    assert json.loads(one(final, "ENTRYPOINT")) == ["python", "-m", "app"]
    assert one(final, "STOPSIGNAL") == "SIGTERM"
    assert environment(final)["PATH"].startswith("/venv/bin:")


def test_health_check_is_python_that_asks_for_healthz(final: list[Step]) -> None:
    command = json.loads(one(final, "HEALTHCHECK").split("CMD ")[1])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "health check", "exec")
    assert "/healthz" in command[2]
    assert one(final, "EXPOSE") in command[2]
