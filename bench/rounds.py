"""The rounds of a part: the same traffic to each server in turn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bench.errors import BenchError
from bench.job import Job, Result
from bench.target import Ground, Target

WARM_REQUESTS, WARM_S = 200, 3


@dataclass(frozen=True)
class Traffic:
    """What a round sends to one server, at most."""

    text: str
    requests: int
    seconds: float
    connections: int = 32
    per_s: float = 0


@dataclass
class Bench:
    """The servers of a run, and how much of each part is done."""

    ground: Ground
    targets: list[Target]
    requests: int
    seconds: float
    rounds: int
    memory_requests: int
    without: dict[str, str]
    """Peers that are left out, of the run or of a part, and why."""
    _sent: int = field(default=0)
    """Requests that were sent so far; keeps each a new one."""

    def traffic(self, text: str, *, share: int = 1, connections: int = 32, per_s: float = 0) -> Traffic:
        """A round's; `share` is by what the requests are divided."""
        return Traffic(text, max(self.requests // share, 1), self.seconds, connections, per_s)

    def send(self, target: Target, traffic: Traffic) -> Result:
        job = Job(
            target.port,
            traffic.text,
            headers=target.headers,
            connections=min(traffic.connections, traffic.requests),
            requests=traffic.requests,
            seconds=traffic.seconds,
            per_s=traffic.per_s,
            session=target.process.pid,
            first_number=self._sent,
        )
        self._sent += traffic.requests
        return job.run(self.ground.machine.others)

    def in_turns(self, targets: list[Target], traffic: Traffic) -> dict[str, list[Result]]:
        """Round by round, each target after the other, so that what the machine does besides meets all of them.

        Raises:
            BenchError: the gateway failed a request; a peer that does is left out, and the report says so.
        """
        warm = replace(traffic, requests=min(WARM_REQUESTS, traffic.requests), seconds=WARM_S, per_s=0)
        results: dict[str, list[Result]] = {target.name: [] for target in targets}
        for number in range(self.rounds + 1):
            for target in targets:
                if target.name in results:
                    try:
                        result = self.send(target, traffic if number else warm)
                    except BenchError as error:
                        if target.own:
                            raise
                        self.without[target.name] = str(error)
                        del results[target.name]
                    else:
                        results[target.name] += [result] if number else []
        return results
