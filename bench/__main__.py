"""`python -m bench` (make bench): the gateway and its peers on one core each in turn, and what the goals say about it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.errors import BenchError
from bench.goals import GOALS
from bench.machine import Machine
from bench.parts import PARTS
from bench.peers import PEERS, install_into
from bench.process import ROOT
from bench.report import show
from bench.rounds import Bench
from bench.target import Ground, gateway

HOME = ROOT / ".bench"
"""Where the peers are installed; it may be deleted at any time."""


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The gateway against its peers, as ratios within one run.")
    parser.add_argument("--only", type=_names(PARTS), default=list(PARTS), metavar="PART,…", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), metavar="PEER,…", help=f"of {', '.join(PEERS)} (default: all)")
    parser.add_argument("--no-peers", dest="peers", action="store_const", const=[], help="the gateway alone")
    parser.add_argument("--requests", type=_count, default=20_000, help="most requests a round (default: %(default)s)")
    parser.add_argument("--seconds", type=_count, default=6, help="longest time of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=_count, default=3, help="rounds whose median counts (default: %(default)s)")
    parser.add_argument("--memory-requests", type=_count, default=100_000, help="requests of the part memory (default: %(default)s)")
    parser.add_argument("--home", type=Path, default=HOME, help="where the peers are installed (default: .bench)")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output, instead of tables")
    return parser.parse_args(given)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: 1 or more")
    return int(text)


def _names(known: dict[str, Any]) -> Any:
    def names(text: str) -> list[str]:
        given = text.split(",")
        if unknown := set(given) - known.keys():
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return [name for name in known if name in given]

    return names


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Start every server, measure part by part, and leave nothing running."""
    began = time.perf_counter()
    machine = Machine()
    described = machine.described()
    without: dict[str, str] = {}
    parts: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        ground = stack.enter_context(Ground(machine, folder))
        targets = [gateway(ground)]
        stack.enter_context(targets[0].process)
        if options.peers:
            install_into(options.home)
        for name in options.peers:
            console.print(f"{name}…", style="dim")
            try:
                targets.append(PEERS[name](ground, options.home))
                stack.enter_context(targets[-1].process)
            except BenchError as error:
                without[name] = str(error)
        bench = Bench(ground, targets, options.requests, options.seconds, options.rounds, options.memory_requests, without)
        for name in options.only:
            console.print(f"{name}: {(PARTS[name].__doc__ or '').strip()}", style="dim", highlight=False)
            parts[name] = PARTS[name](bench)
    goals = [goal.result(parts) for goal in GOALS]
    return {"machine": described, "parts": parts, "goals": goals, "without": without, "taken_s": time.perf_counter() - began}


def main(given: list[str]) -> int:
    """Measure and show; the exit code says only whether it could be measured."""
    options = arguments(given)
    console = Console(stderr=True)
    try:
        found = run(options, console)
    except BenchError as error:
        console.print(f"[red bold]error:[/] {error}", highlight=False, soft_wrap=True)
        return 1
    if options.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        show(Console(), found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
