"""A stage's configuration, validated before any resource exists. Pulumi.yaml describes the keys and has the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import pulumi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from infra.rules import broken
from infra.subnets import MAX_ZONES, network
from infra.timeouts import Timeouts
from infra.wording import allowed, nearest, without

LONGEST_LABEL = 36  # the cache's user ends at 40 characters


def _matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not name anything twice")
    return values


def _network(value: str) -> str:
    return str(network(value))


Account = Annotated[str, _matching(r"\d{12}", "account ids of 12 digits, in quotes")]
Model = Annotated[str, _matching(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", "names of models, as gpt-6.1-terra")]
Count = Annotated[int, Field(ge=0, le=10**9)]
LADDER = r"(\d+(\.\d+)?:(alert|cheaper|shorter|cache|stop)(,(?=\d)|$))*"
Seconds = Annotated[int, Field(ge=1, le=3600)]
RecoveryDays = Literal[0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


def _key(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join("MiB" if word == "mib" else word.capitalize() for word in rest)


class Stage(BaseModel):
    """What a stage is made from. The field `min_tasks` is the key `minTasks`; no field has a default, as Pulumi.yaml has it."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=_key, populate_by_name=True, ignored_types=(cached_property,))

    region: Literal["us-east-1", "us-east-2", "us-west-1", "us-west-2"]
    allowed_account_ids: Annotated[tuple[Account, ...], AfterValidator(_distinct)]
    owner: Annotated[str, _matching(r"[\w .:/=+@-]{0,256}", "letters, digits, spaces and any of . : / = + - @ _, or unset")]
    protect: bool

    openai_organization: Annotated[str, _matching(r"(org-\S+)?", "as org-…, or unset")]
    openai_project: Annotated[str, _matching(r"(proj_\S+)?", "as proj_…, or unset")]
    openai_base_url: Annotated[str, _matching(r"https?://[^\s/?#:@]+(:\d{1,5})?(/[^\s?#]*)?", "an address as https://api.openai.com/v1")]
    models: Annotated[tuple[Model, ...], Field(min_length=1), AfterValidator(_distinct)]

    openai_requests_per_minute: Count
    openai_tokens_per_minute: Count
    client_requests_per_minute: Count
    client_tokens_per_minute: Count
    client_streams: Count
    client_usd_per_day: Count
    client_usd_per_month: Count
    monthly_budget_usd: Count
    spend_ladder: Annotated[str, _matching(LADDER, "shares and steps as 0.5:alert,0.8:cheaper,0.9:shorter,0.95:cache,1:stop")]
    default_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    moderate_input: bool
    redact_prompts: bool
    embedding_batch_milliseconds: Annotated[int, Field(ge=0, le=100)]

    domain: Annotated[
        str, _matching(r"(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})?", "a name in lower case as gateway.example.com, or unset")
    ]
    hosted_zone_id: Annotated[str, _matching(r"(Z[A-Z0-9]{1,31})?", "the id of a Route 53 zone as Z0123456789ABCDEFGHIJ, or unset")]
    allow_plain_http: bool

    vpc_cidr: Annotated[str, AfterValidator(_network)]
    zones: Annotated[int, Field(ge=2, le=MAX_ZONES)]
    nat_gateways: Literal["single", "perZone"]

    image: Annotated[str, _matching(r"([^\s@]+@sha256:[0-9a-f]{64})?", "by digest, as repository@sha256: and 64 hex digits, or unset")]
    task_cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384]
    task_memory_mib: Annotated[int, Field(ge=512, le=122880)]
    min_tasks: Annotated[int, Field(ge=1, le=1000)]
    max_tasks: Annotated[int, Field(ge=1, le=1000)]
    target_cpu_percent: Annotated[int, Field(ge=10, le=90)]
    target_requests_per_minute: Annotated[int, Field(ge=1)]
    health_check_interval_seconds: Annotated[int, Field(ge=5, le=300)]

    request_timeout_seconds: Seconds
    ping_seconds: Seconds
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=4000)]
    drain_seconds: Annotated[int, Field(ge=0)]

    cache_node_type: Annotated[str, _matching(r"cache\.[a-z0-9]+\.[a-z0-9]+", "an ElastiCache node type as cache.t4g.micro")]
    cache_replicas: Annotated[int, Field(ge=0, le=5)]
    cache_ttl_seconds: Annotated[int, Field(ge=0, le=30 * 86400)]

    log_retention_days: LogDays
    secret_recovery_days: RecoveryDays
    secret_ttl_seconds: Annotated[int, Field(ge=1, le=300)]

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
    def timeouts(self) -> Timeouts:
        return Timeouts(self.request_timeout_seconds, self.ping_seconds, self.idle_timeout_seconds, self.drain_seconds)

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """The fields that are configuration, by key."""
        return {str(field.alias): field for field in cls.model_fields.values() if not field.exclude}

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
    def read(cls, given: Mapping[str, Any], *, project: str, name: str, secret: set[str] | frozenset[str] = frozenset()) -> Self:
        """The stage of that name from its values as the engine hands them over: text, or JSON where a key is no text."""
        fields = cls.fields()
        problems = [f"{key}: there is no such key{nearest(key, fields)}" for key in sorted(given.keys() - fields.keys())]
        values: dict[str, Any] = {}
        names = {str(field.alias): field_name for field_name, field in cls.model_fields.items()}
        for key, field in fields.items():
            if key not in given:
                problems.append(f"{key}: has no value, and no default in Pulumi.yaml")
                continue
            value = given[key] if field.annotation is str else _parsed(given[key])
            try:
                values[names[key]] = _adapter(field).validate_python(value, strict=True)
            except ValidationError as error:
                problems.append(f"{key} = {json.dumps(value, ensure_ascii=False)}: {allowed(error)}")
        problems += broken(values)
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
        return cls.model_construct(**values, project=project, name=name)


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotated: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotated)


def _parsed(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
