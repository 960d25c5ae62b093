"""Where tasks run: on Fargate, and on Fargate Spot, which costs a third and may be taken away."""

from __future__ import annotations

from pulumi_aws import ecs

FARGATE, SPOT = "FARGATE", "FARGATE_SPOT"
WHOLE = 100


def strategies(min_tasks: int, spot_percent: int) -> list[ecs.ServiceCapacityProviderStrategyArgs]:
    """The fewest tasks on Fargate, and that share of those beyond them on Spot.

    When AWS wants a Spot task's place, the task gets SIGTERM and 120 seconds, as in any stop (`timeouts.STOP_LIMIT_S`), and drains.
    A service without Spot has a strategy too: one with a launch type instead would be replaced when Spot is turned off.
    """
    if not spot_percent:
        return [ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=FARGATE, weight=WHOLE)]
    return [
        ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=FARGATE, base=min_tasks, weight=WHOLE - spot_percent),
        ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=SPOT, weight=spot_percent),
    ]
