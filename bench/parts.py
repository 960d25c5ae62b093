"""The parts of a run: what is sent to whom, and what is read off."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from bench.job import Result
from bench.rounds import Bench, Traffic
from bench.target import Target, body, gateway

Figures = dict[str, float]
PER_S = 500
SAMPLES, STREAMED = 10, 5
"""Readings of the memory over a long run, and which of them follow streams."""
LONG_S = 300
STARTS = 5


def plain(bench: Bench) -> dict[str, Figures]:
    """Answers in one piece, each request a new one."""
    return {name: _figures(results) for name, results in bench.in_turns(bench.targets, bench.traffic(body())).items()}


def paced(bench: Bench) -> dict[str, Figures]:
    """The same five hundred requests a second for each that can keep up."""
    targets = [target for target in bench.targets if target.name in {"gateway", "nginx"}]
    measured = bench.in_turns(targets, bench.traffic(body(), per_s=PER_S))
    return {name: _figures(results) for name, results in measured.items()}


def cached(bench: Bench) -> dict[str, Figures]:
    """The same request again and again."""
    targets = [target for target in bench.targets if target.caches]
    return {name: _figures(results) for name, results in bench.in_turns(targets, bench.traffic(body(same=True))).items()}


def stream(bench: Bench) -> dict[str, Figures]:
    """Streams of a hundred events, each written by itself."""
    measured = bench.in_turns(bench.targets, bench.traffic(body(stream=True), share=10))
    return {
        name: _figures(results) | {"chunks_per_s": _median(results, lambda result: result.chunks_per_s)}
        | {"cpu_us_per_chunk": _median(results, lambda result: result.cpu_s / result.chunks * 1e6)}
        for name, results in measured.items()
    }  # fmt: skip


def latency(bench: Bench) -> dict[str, Figures]:
    """One caller alone: what a server adds to the direct call, to the whole answer and to the first event of a stream."""
    direct = Target("direct", bench.ground.upstream_port, bench.ground.upstream, own=True)
    whole = bench.in_turns([direct, *bench.targets], bench.traffic(body(), share=20, connections=1))
    first = bench.in_turns([direct, *bench.targets], bench.traffic(body(stream=True), share=40, connections=1))
    found = {
        name: {"p50_ms": _median(whole[name], lambda r: r.p50_ms), "first_p50_ms": _median(first[name], lambda r: r.first_p50_ms)}
        for name in whole
        if name in first
    }
    base = found["direct"]
    for figures in found.values():
        figures |= {f"added_{key}": value - base[key] for key, value in list(figures.items())}
    return found


def memory(bench: Bench) -> dict[str, Figures]:
    """The gateway's memory at its start, at its peak, and as it grows over many requests, plain and streamed by turns."""
    target = gateway(bench.ground)
    with target.process:
        figures = {"start_mb": target.process.rss_mb()}
        share = max(bench.memory_requests // SAMPLES, 1)
        readings = []
        for number in range(SAMPLES):
            bench.send(target, Traffic(body(stream=number % STREAMED == 1), share, LONG_S))
            readings.append(target.process.rss_mb())
        grown_mb = readings[-1] - readings[SAMPLES // 5]  # since the first streams: what both kinds need has been made
        figures |= {"end_mb": readings[-1], "peak_mb": target.process.peak_mb(), "grown_mb": grown_mb, "requests": share * SAMPLES}
    return {"gateway": figures}


def start(bench: Bench) -> dict[str, Figures]:
    """From the start of the process until it says that it is ready, and to its first real answer."""
    found = {target.name: _started([target]) for target in bench.targets[1:]}
    targets = []
    for _ in range(STARTS):
        targets.append(gateway(bench.ground))
        targets[-1].process.stop()
    return {"gateway": _started(targets)} | found


def _started(targets: list[Target]) -> Figures:
    return {name: statistics.median(getattr(target, name) for target in targets) for name in ("start_s", "first_answer_s")}


PARTS: dict[str, Callable[[Bench], dict[str, Figures]]] = {
    "plain": plain,
    "paced": paced,
    "cached": cached,
    "stream": stream,
    "latency": latency,
    "memory": memory,
    "start": start,
}


def _figures(results: list[Result]) -> Figures:
    return {
        "requests": float(sum(result.requests for result in results)),
        "hits": float(sum(result.hits for result in results)),
        "requests_per_s": _median(results, lambda result: result.requests_per_s),
        "cpu_us": _median(results, lambda result: result.cpu_us),
        "core_share": _median(results, lambda result: result.core_share),
        "p50_ms": _median(results, lambda result: result.p50_ms),
        "p99_ms": _median(results, lambda result: result.p99_ms),
    }


def _median(results: list[Result], of: Callable[[Any], float]) -> float:
    return statistics.median(map(of, results))
