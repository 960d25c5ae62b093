"""`python -m bench.load`: callers that send a request as soon as the last is answered; a `Job` as JSON on stdin, a `Result` on stdout."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
import time
from dataclasses import asdict
from typing import cast

import uvloop

from bench.job import NUMBER, Job, Result
from bench.process import cpu_s

GRACE_S = 60
"""Time that requests get to end after the last was sent."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HIT = re.compile(rb"\r\n(x-cache: hit|x-litellm-cache-key:)", re.IGNORECASE)
_HEAD_BYTES = 4096
_EVENT = b"data: {"
_LAST = b"0\r\n\r\n"


class Run:
    """The state that all callers share."""

    def __init__(self, job: Job) -> None:
        self.errors = self.chunks = self.hits = self.open = 0
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.failure = ""
        self.done = asyncio.Event()
        self._left = job.requests
        self._pause_s = 1 / job.per_s if job.per_s else 0.0
        self._due = time.perf_counter()
        self._number = job.first_number
        sent = {"host": "127.0.0.1", "content-type": "application/json", "accept": "application/json"} | dict(job.headers)
        length = len(job.body.replace(NUMBER, f"{0:012d}").encode())
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        request = f"POST {job.path} HTTP/1.1\r\n{lines}content-length: {length}\r\n\r\n{job.body}"
        self._varies = NUMBER in job.body
        self._before, _, self._after = request.encode().partition(NUMBER.encode())
        self._ends = time.perf_counter() + job.seconds

    def wait_s(self) -> float:
        """How long the next request has to wait, so that they come evenly."""
        if not self._pause_s:
            return 0
        self._due += self._pause_s
        return self._due - time.perf_counter()

    def next(self) -> bytes:
        """The next request; empty when there is none."""
        if self._left <= 0 or time.perf_counter() > self._ends:
            return b""
        self._left -= 1
        self._number += 1
        return b"%b%012d%b" % (self._before, self._number, self._after) if self._varies else self._before


class Caller(asyncio.Protocol):
    """One connection. A server that closes it early has failed its request."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: asyncio.Transport
        self._parts: list[bytes] = []
        self._tail = b""
        self._end = self._size = 0
        self._sent = self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._run.open += 1
        self._soon()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._run.open -= 1
        self._run.errors += self._sent > 0
        if not self._run.open:
            self._run.done.set()

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if not self._end:
            data = b"".join(self._parts)
            head = data.find(b"\r\n\r\n") + 4
            if head < 4:  # noqa: PLR2004  not found
                return
            found = _LENGTH.search(data, 0, head)
            self._end = head + int(found[1]) if found else -1
            self._parts = [data]
        if self._end > 0:
            if self._size >= self._end:
                self._complete()
            return
        if not self._first and _EVENT in data:
            self._first = time.perf_counter() - self._sent
        self._tail = (self._tail + data)[-len(_LAST) :]
        if self._tail == _LAST:
            self._complete()

    def _complete(self) -> None:
        whole = b"".join(self._parts)
        if whole.startswith(b"HTTP/1.1 200"):
            self._run.latencies.append(time.perf_counter() - self._sent)
            self._run.hits += _HIT.search(whole, 0, _HEAD_BYTES) is not None
            if self._first:
                self._run.firsts.append(self._first)
                self._run.chunks += whole.count(_EVENT)
        else:
            self._run.errors += 1
            self._run.failure = self._run.failure or whole.partition(b"\r\n\r\n")[2][:200].decode(errors="replace")
        self._soon()

    def _soon(self) -> None:
        self._sent = 0.0
        if (wait_s := self._run.wait_s()) > 0:
            asyncio.get_running_loop().call_later(wait_s, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._parts, self._tail, self._end, self._size, self._sent, self._first = [], b"", 0, 0, 0.0, 0.0
        if request := self._run.next():
            self._sent = time.perf_counter()
            self._transport.write(request)
        else:
            self._transport.close()


async def main(job: Job) -> Result:
    loop = asyncio.get_running_loop()
    cpu = cpu_s(job.session)
    run = Run(job)
    began = time.perf_counter()
    await asyncio.gather(*(loop.create_connection(lambda: Caller(run), "127.0.0.1", job.port) for _ in range(job.connections)))
    async with asyncio.timeout(job.seconds + GRACE_S):
        await run.done.wait()
    seconds = time.perf_counter() - began
    cpu = cpu_s(job.session) - cpu
    latencies = sorted(run.latencies) or [0.0]
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    first = statistics.median(run.firsts) if run.firsts else 0.0
    return Result(len(run.latencies), run.errors, seconds, cpu, run.chunks, run.hits, p50 * 1000, p99 * 1000, run.failure, first * 1000)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(main(Job(**json.load(sys.stdin)))))))
