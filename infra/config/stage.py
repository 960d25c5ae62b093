"""A stage's configuration, validated before any resource exists. Pulumi.yaml describes the keys and has the defaults."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import pulumi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infra.config.fargate import workers
from infra.config.reading import keys, read
from infra.config.rules import broken
from infra.config.subnets import MAX_ZONES
from infra.config.timeouts import Timeouts
from infra.config.traffic import Traffic
from infra.config.values import (
    CRON,
    LADDER,
    MIX,
    Account,
    Count,
    Endpoint,
    LogDays,
    Mail,
    Model,
    Percent,
    RecoveryDays,
    Seconds,
    SubnetId,
    distinct,
    matching,
    private_network,
    timezone,
)
from infra.config.wording import without
from infra.cost.month import above_ceiling

LONGEST_LABEL = 36  # the cache's user ends at 40 characters


def _key(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join("MiB" if word == "mib" else word.capitalize() for word in rest)


class Stage(BaseModel):
    """What a stage is made from. The field `min_tasks` is the key `minTasks`; no field has a default, as Pulumi.yaml has it."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=_key, populate_by_name=True, ignored_types=(cached_property,))

    region: Literal["us-east-1", "us-east-2", "us-west-1", "us-west-2"]
    allowed_account_ids: Annotated[tuple[Account, ...], AfterValidator(distinct)]
    owner: Annotated[str, matching(r"[\w .:/=+@-]{0,256}", "letters, digits, spaces and any of . : / = + - @ _, or unset")]
    protect: bool
    alarm_mails: Annotated[tuple[Mail, ...], AfterValidator(distinct)]
    cost_ceiling_usd: Count
    max_key_age_days: Annotated[int, Field(ge=1, le=3650)]

    openai_organization: Annotated[str, matching(r"(org-\S+)?", "as org-…, or unset")]
    openai_project: Annotated[str, matching(r"(proj_\S+)?", "as proj_…, or unset")]
    openai_base_url: Annotated[str, matching(r"https?://[^\s/?#:@]+(:\d{1,5})?(/[^\s?#]*)?", "an address as https://api.openai.com/v1")]
    models: Annotated[tuple[Model, ...], Field(min_length=1), AfterValidator(distinct)]

    openai_requests_per_minute: Count
    openai_tokens_per_minute: Count
    client_requests_per_minute: Count
    client_tokens_per_minute: Count
    client_streams: Count
    client_usd_per_day: Count
    client_usd_per_month: Count
    monthly_budget_usd: Count
    spend_ladder: Annotated[str, matching(LADDER, "shares and steps as 0.5:alert,0.8:cheaper,0.9:shorter,0.95:cache,1:stop")]
    default_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    moderate_input: bool
    redact_prompts: bool
    embedding_batch_milliseconds: Annotated[int, Field(ge=0, le=100)]

    domain: Annotated[
        str, matching(r"(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})?", "a name in lower case as gateway.example.com, or unset")
    ]
    hosted_zone_id: Annotated[str, matching(r"(Z[A-Z0-9]{1,31})?", "the id of a Route 53 zone as Z0123456789ABCDEFGHIJ, or unset")]
    allow_plain_http: bool
    requests_per_address: Annotated[int, Field(ge=10, le=2_000_000_000)]

    vpc_cidr: Annotated[str, AfterValidator(private_network)]
    zones: Annotated[int, Field(ge=2, le=MAX_ZONES)]
    nat_gateways: Literal["single", "perZone"]
    interface_endpoints: Annotated[tuple[Endpoint, ...], AfterValidator(distinct)]
    vpc_id: Annotated[str, matching(r"(vpc-[0-9a-f]{8,17})?", "the id of a network as vpc-0123456789abcdef0, or unset")]
    public_subnet_ids: Annotated[tuple[SubnetId, ...], AfterValidator(distinct)]
    private_subnet_ids: Annotated[tuple[SubnetId, ...], AfterValidator(distinct)]

    image: Annotated[str, matching(r"([^\s@]+@sha256:[0-9a-f]{64})?", "by digest, as repository@sha256: and 64 hex digits, or unset")]
    task_cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384]
    task_memory_mib: Annotated[int, Field(ge=512, le=122880)]
    min_tasks: Annotated[int, Field(ge=1, le=1000)]
    max_tasks: Annotated[int, Field(ge=1, le=1000)]
    target_cpu_percent: Annotated[int, Field(ge=10, le=90)]
    target_in_flight: Annotated[int, Field(ge=1, le=100_000)]
    busy_min_tasks: Annotated[int, Field(ge=0, le=1000)]
    busy_from: Annotated[str, matching(CRON, "a schedule of AWS as cron(0 8 ? * MON-FRI *)")]
    busy_until: Annotated[str, matching(CRON, "a schedule of AWS as cron(0 20 ? * MON-FRI *)")]
    busy_timezone: Annotated[str, AfterValidator(timezone)]
    spot_percent: Percent
    workers: Annotated[int, Field(ge=0, le=64)]
    health_check_interval_seconds: Annotated[int, Field(ge=5, le=300)]

    request_timeout_seconds: Seconds
    ping_seconds: Seconds
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=4000)]
    drain_seconds: Annotated[int, Field(ge=0)]

    cache_node_type: Annotated[str, matching(r"cache\.[a-z0-9]+\.[a-z0-9]+", "an ElastiCache node type as cache.t4g.micro")]
    cache_replicas: Annotated[int, Field(ge=0, le=5)]
    cache_ttl_seconds: Annotated[int, Field(ge=0, le=30 * 86400)]

    log_retention_days: LogDays
    secret_recovery_days: RecoveryDays
    secret_ttl_seconds: Annotated[int, Field(ge=1, le=300)]

    traffic_requests_per_day: Count
    traffic_prompt_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    traffic_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    traffic_seconds: Annotated[int, Field(ge=1, le=3600)]
    traffic_cache_hit_percent: Percent
    traffic_model_mix: Annotated[str, matching(MIX, "models and their percent as gpt-6.1-terra:70,gpt-6-luna:30, or unset")]

    project: str = Field(exclude=True)
    name: str = Field(exclude=True)

    @cached_property
    def label(self) -> str:
        """The project and the stage in one word that AWS takes in every name."""
        return _slug(f"{self.project}-{self.name}")

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of everything in the stage."""
        owner = {"owner": self.owner} if self.owner else {}
        return {"project": self.project, "stage": self.name, "managed-by": "pulumi", **owner}

    @cached_property
    def worker_processes(self) -> int:
        """Processes that serve requests in a task."""
        return self.workers or workers(self.task_cpu)

    @cached_property
    def traffic(self) -> Traffic:
        return Traffic(
            self.traffic_requests_per_day,
            self.traffic_prompt_tokens,
            self.traffic_output_tokens,
            self.traffic_seconds,
            self.traffic_cache_hit_percent,
        )

    @cached_property
    def timeouts(self) -> Timeouts:
        return Timeouts(self.request_timeout_seconds, self.ping_seconds, self.idle_timeout_seconds, self.drain_seconds)

    @classmethod
    def load(cls) -> Stage:
        """The configuration of the stack that is being deployed.

        Raises:
            pulumi.RunError: with a line for each problem, naming key, value and what is allowed.
        """
        prefix = f"{pulumi.get_project()}:"
        given = {key.removeprefix(prefix): value for key, value in pulumi.runtime.config.CONFIG.get().items() if key.startswith(prefix)}
        secret = {key for key in given if pulumi.runtime.config.is_config_secret(prefix + key)}
        return cls.read(given, project=pulumi.get_project(), name=pulumi.get_stack(), secret=secret)

    @classmethod
    def read(cls, given: Mapping[str, Any], *, project: str, name: str, secret: Collection[str] = (), capped: bool = True) -> Self:
        """The stage of that name from its values as the engine hands them over: text, or JSON where a key is no text.

        Only `capped` it is a problem that its estimate is above its ceiling.
        """
        values, problems = read(cls.model_fields, given)
        problems += broken(values)
        stage = cls.model_construct(**values, project=project, name=name)
        if capped and len(values) == len(keys(cls.model_fields)):
            problems += above_ceiling(stage)
        if len(label := _slug(f"{project}-{name}")) > LONGEST_LABEL or not label[0].isalpha():
            problems.append(
                f"project and stack name: {label!r} must begin with a letter and have at most {LONGEST_LABEL} characters for names in AWS"
            )
        if problems:
            raise pulumi.RunError(
                "\n  ".join(
                    [f"The configuration of stage {name!r} cannot be used:", *without({str(given[key]) for key in secret}, problems)]
                )
            )
        return stage


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
