"""Log lines: how they are written, alone and many at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from app import log
from app.access import _LETTERS, _request_id
from app.redact import suspicious


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]


async def test_lines_are_written_at_once_unless_they_are_gathered(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("one")
    assert written(capsys) == ["one"]


async def test_gathered_lines_come_together_and_in_order(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = asyncio.Event()
    flush = log.flush

    def and_say_so() -> None:
        flush()
        flushed.set()

    monkeypatch.setattr(log, "flush", and_say_so)
    with log.gathered():
        log.info("one")
        log.info("two")
        assert written(capsys) == []
        await flushed.wait()
        assert written(capsys) == ["one", "two"]
        log.info("three")
        flushed.clear()
        await flushed.wait()
        assert written(capsys) == ["three"]


@pytest.mark.parametrize("level", ["warning", "error"])
async def test_a_warning_waits_for_nothing_and_comes_after_what_was_before_it(capsys: pytest.CaptureFixture[str], level: str) -> None:
    with log.gathered():
        log.info("one")
        log.write(level, "two", {})
        assert written(capsys) == ["one", "two"]
        log.info("three")
    assert written(capsys) == ["three"], "the end leaves nothing behind"


async def test_lines_of_other_threads_wait_for_no_loop(capsys: pytest.CaptureFixture[str]) -> None:
    with log.gathered():
        log.info("one")
        thread = threading.Thread(target=log.info, args=("two",))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert written(capsys) == ["one", "two"]


def test_a_process_that_ends_in_an_error_loses_no_line() -> None:
    code = """if True:
        import asyncio
        from app import log

        async def main():
            log.gathered().__enter__()
            log.info("last words")
            raise SystemExit(3)

        asyncio.run(main())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout)["event"] == "last words"


def test_the_time_is_now_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        before = datetime.now(UTC)
        log.info("now")
        text = json.loads(capsys.readouterr().out)["time"]
        time = datetime.fromisoformat(text)
        assert before - timedelta(milliseconds=1) <= time <= datetime.now(UTC)
        assert text == time.isoformat(timespec="milliseconds")


def test_a_request_id_is_not_taken_for_a_number_or_a_key() -> None:
    """Else each line would be searched for one, which costs more than all else about it."""
    alphabet = "abcdef" + "0123456789".translate(_LETTERS)
    for length in (2, 3):
        assert not [letters for letters in map("".join, itertools.product(alphabet, repeat=length)) if suspicious(f"req_{letters}00000001")]
    assert not suspicious(_request_id({"type": "http", "headers": []}))
