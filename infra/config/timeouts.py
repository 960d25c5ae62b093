"""One budget for all timeouts: what the balancer, ECS and the app must agree on follows from the few values that a stage chooses."""

from __future__ import annotations

from dataclasses import dataclass

KEEP_ALIVE_MARGIN_S = 15
"""By how much the app outwaits the balancer, which must be the first to close an idle connection, or it sends into a closed one."""
LEAVE_S = 10
"""What a task needs to leave after its last request."""
STOP_LIMIT_S = 120
"""The longest that Fargate waits between SIGTERM and SIGKILL."""
DEREGISTRATION_LIMIT_S = 3600
"""The longest that a target group waits for a leaving target."""


@dataclass(frozen=True)
class Timeouts:
    """All timeouts of a stage, in seconds: ping < idle < keep-alive, request < idle, drain <= stop <= 120, deregistration >= drain."""

    request_s: int
    ping_s: int
    idle_s: int
    drain_s: int

    @property
    def keep_alive_s(self) -> int:
        """How long the app keeps an idle connection open."""
        return self.idle_s + KEEP_ALIVE_MARGIN_S

    @property
    def stop_s(self) -> int:
        """How long ECS waits between SIGTERM and SIGKILL."""
        return self.drain_s + LEAVE_S

    @property
    def deregistration_s(self) -> int:
        """How long the balancer lets a leaving task finish: ECS stops it after that, so both together cover the longest request."""
        return max(self.drain_s, min(self.request_s - self.drain_s, DEREGISTRATION_LIMIT_S))

    def problems(self) -> list[str]:
        """What does not fit together, with the arithmetic; a line for each."""
        found = []
        if self.ping_s >= self.idle_s:
            found.append(
                f"pingSeconds = {self.ping_s}: must be less than idleTimeoutSeconds = {self.idle_s}, or the balancer cuts silent streams"
            )
        if self.request_s >= self.idle_s:
            found.append(
                f"requestTimeoutSeconds = {self.request_s}: must be less than idleTimeoutSeconds = {self.idle_s}, "
                "or the balancer cuts answers that are not streamed: they are silent until they are complete"
            )
        if self.stop_s > STOP_LIMIT_S:
            found.append(
                f"drainSeconds = {self.drain_s}: {self.drain_s} + {LEAVE_S} s to leave = {self.stop_s} s, "
                f"but a task has at most {STOP_LIMIT_S} s to stop; allowed: up to {STOP_LIMIT_S - LEAVE_S}"
            )
        return found
