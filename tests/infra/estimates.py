"""Stages as the tests of costs need them: also above their ceiling, and any that the rules let through."""

from __future__ import annotations

from hypothesis import strategies as st

from infra.config import stack
from infra.config.fargate import MEMORY_MIB
from infra.config.stage import Stage
from infra.cost.month import Month
from infra.cost.prices import Prices
from tests.infra.deployment import STAGES

REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")
SUBNETS = tuple(f"subnet-{number:08x}" for number in range(4))
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "secretsmanager")


def stage(name: str, **overrides: object) -> Stage:
    return Stage.read(stack.values(name, overrides), project="openai-gateway", name=name, capped=False)


STAGED = {name: stage(name) for name in STAGES}


def changed(base: Stage, **fields: object) -> Stage:
    return Stage.model_construct(**{name: getattr(base, name) for name in Stage.model_fields} | fields)


def usd(found: Month, what: str) -> float:
    (line,) = (line for line in found.lines if line.use.what == what)
    return line.usd


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Any stage that the rules let through, as far as its cost goes."""
    region = draw(st.sampled_from(REGIONS))
    cpu = draw(st.sampled_from(sorted(MEMORY_MIB)))
    least = draw(st.integers(1, 50))
    most = draw(st.integers(least, 60))
    own = draw(st.booleans())
    return changed(
        STAGED[draw(st.sampled_from(STAGES))],
        region=region,
        zones=draw(st.integers(2, 2 if region == "us-west-1" else 3)),
        nat_gateways=draw(st.sampled_from(("single", "perZone"))),
        interface_endpoints=tuple(draw(st.sets(st.sampled_from(ENDPOINTS)))),
        vpc_id="" if own else "vpc-12345678",
        public_subnet_ids=() if own else SUBNETS[:2],
        private_subnet_ids=() if own else SUBNETS[2:],
        task_cpu=cpu,
        task_memory_mib=draw(st.sampled_from(MEMORY_MIB[cpu])),
        min_tasks=least,
        max_tasks=most,
        busy_min_tasks=draw(st.just(0) | st.integers(least, most)),
        target_in_flight=draw(st.integers(1, 1000)),
        spot_percent=draw(st.integers(0, 100)),
        workers=draw(st.integers(0, 16)),
        cache_node_type=draw(st.sampled_from(Prices.load(region).variants("cache-node"))),
        cache_replicas=draw(st.integers(0, 5)),
        cache_ttl_seconds=draw(st.sampled_from((0, 3600))),
        log_retention_days=draw(st.sampled_from((1, 30, 365, 3653))),
        secret_ttl_seconds=draw(st.integers(1, 300)),
        health_check_interval_seconds=draw(st.integers(5, 300)),
        moderate_input=draw(st.booleans()),
        traffic_requests_per_day=draw(st.integers(0, 10**9)),
        traffic_prompt_tokens=draw(st.integers(1, 10**6)),
        traffic_output_tokens=draw(st.integers(1, 10**6)),
        traffic_seconds=draw(st.integers(1, 3600)),
        traffic_cache_hit_percent=draw(st.integers(0, 100)),
    )
