"""The contract between the infrastructure and the app: every setting of the container, described once.

`infra/service.py` writes the container's environment with `environment()`, the app reads it back with `Settings.load()`. A setting
that one side knows and the other does not cannot exist: an unknown or missing name is refused before any resource is made.

Durations are in seconds and sizes in bytes; the unit is in the name. `GATEWAY_` and the field's name in capitals is the variable;
the four names that OpenAI's own clients read keep those names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)

PREFIX = "GATEWAY_"
OUTSIDE_AWS = frozenset({"openai_api_key", "clients", "host", "port", "metrics_port"})
"""Settings that a deployed task never gets: keys come from Secrets Manager, and the task has a network address of its own."""


class SettingsError(ValueError):
    """Settings that cannot be used; `problems` has a line for each, and no line carries a value."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _variable(field: str) -> str:
    return PREFIX + field.upper()


Names = Annotated[tuple[str, ...], BeforeValidator(_split), PlainSerializer(",".join, return_type=str)]


class Settings(BaseModel):
    """The app's settings. In AWS all of them come from `infra/`; elsewhere the defaults and a few variables are enough."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(_variable), populate_by_name=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    stage: str = Field("dev", min_length=1, description="Name of the stage; stands in every log line.")

    openai_base_url: str = Field(
        "https://api.openai.com/v1", alias="OPENAI_BASE_URL", pattern=r"^https?://[^\s/]+(/[^\s]*)?$", description="Where OpenAI's API is."
    )
    openai_organization: str = Field(
        "", alias="OPENAI_ORG_ID", description="Organization that requests are billed to (empty: the key's own)."
    )
    openai_project: str = Field("", alias="OPENAI_PROJECT_ID", description="Project that requests are billed to (empty: the key's own).")
    openai_secret_id: str = Field("", description="Secrets Manager secret that holds the OpenAI key, as plain text.")
    openai_api_key: SecretStr = Field(
        SecretStr(""), alias="OPENAI_API_KEY", description="The OpenAI key itself, outside AWS, where no secret is named."
    )

    clients_secret_id: str = Field("", description="Secrets Manager secret that holds the callers: JSON as in `clients`.")
    clients: SecretStr = Field(SecretStr(""), description='Callers, outside AWS: {"name": {"key_sha256": ["hex digest of a key", …]}, …}.')
    secret_ttl_s: float = Field(30, gt=0, le=300, description="How long a secret is used before it is read again.")

    models: Names = Field(("gpt-6.1-terra", "gpt-6-luna"), min_length=1, description="Models that callers may use, separated by commas.")

    cache_url: str = Field(
        "", pattern=r"^(rediss?://\S+)?$", description="Valkey as redis://host:port, or rediss://user@host:port for TLS (empty: no cache)."
    )
    cache_iam_cluster: str = Field("", description="Replication group whose IAM authentication is used (empty: none).")
    cache_ttl_s: int = Field(3600, ge=0, le=30 * 86400, description="How long an answer is kept (0: answers are not cached).")

    client_requests_per_minute: int = Field(0, ge=0, description="Requests a minute that each caller may make (0: no limit).")
    client_tokens_per_minute: int = Field(0, ge=0, description="Tokens a minute that each caller may use (0: no limit).")
    client_streams: int = Field(0, ge=0, description="Streams that each caller may have open at once (0: no limit).")
    client_usd_per_day: float = Field(0, ge=0, description="Dollars that each caller may spend a day (0: no limit).")
    client_usd_per_month: float = Field(0, ge=0, description="Dollars that each caller may spend a month (0: no limit).")
    stage_requests_per_minute: int = Field(0, ge=0, description="OpenAI's limit of requests a minute for this stage (0: none is kept).")
    stage_tokens_per_minute: int = Field(0, ge=0, description="OpenAI's limit of tokens a minute for this stage (0: none is kept).")
    budget_usd_per_month: float = Field(0, ge=0, description="Dollars that the stage may spend a month (0: no limit).")
    ladder: str = Field(
        "0.5:alert,0.8:cheaper,0.9:shorter,0.95:cache,1:stop",
        pattern=r"^(\d+(\.\d+)?:(alert|cheaper|shorter|cache|stop)(,|$))*$",
        description="What happens at which share of the stage's budget.",
    )

    default_output_tokens: int = Field(4096, ge=1, description="Output tokens of a request that asks for none in particular.")
    max_output_tokens: int = Field(16384, ge=1, description="Most output tokens that a request may ask for.")
    max_choices: int = Field(4, ge=1, le=128, description="Most answers to one request: n and best_of.")
    moderate: bool = Field(False, description="Whether input is checked by OpenAI's moderation before the call.")
    redact: bool = Field(False, description="Whether e-mail addresses, phone and card numbers and keys are taken out of prompts.")
    batch_ms: int = Field(0, ge=0, le=100, description="How long embeddings wait for others to join one call, in milliseconds (0: not).")

    request_timeout_s: float = Field(600, gt=0, le=3600, description="Longest time a request may take, from its first byte to its last.")
    ping_s: float = Field(15, gt=0, description="Longest silence on a stream before a comment line keeps it alive.")
    keep_alive_s: int = Field(75, gt=0, description="How long an idle connection is kept open; longer than the balancer's idle timeout.")
    drain_s: float = Field(90, ge=0, le=120, description="Time that running requests get to finish after SIGTERM.")

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104  a container is reached from outside itself
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on (0: any free one).")
    workers: int = Field(1, ge=1, le=64, description="Worker processes; one for each vCPU.")
    max_in_flight: int = Field(256, ge=1, le=10_000, description="Most requests that a worker answers at once; above it callers get 503.")
    metrics_port: int = Field(9090, ge=0, le=65535, description="Port of Prometheus' /metrics, off the public one (0: none).")
    max_body_bytes: int = Field(1_048_576 * 8, ge=1024, le=1_048_576 * 64, description="Longest request body that is read.")

    @model_validator(mode="after")
    def _tls_where_there_is_iam(self) -> Self:
        if self.cache_iam_cluster and not self.cache_url.startswith("rediss://"):
            message = "cache_iam_cluster needs TLS: cache_url must begin with rediss://"
            raise ValueError(message)
        return self

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables.

        Raises:
            SettingsError: variables are malformed, or begin with GATEWAY_ and are unknown; the message names each of them.
        """
        environ = os.environ if environ is None else environ
        known = {str(field.alias) for field in cls.model_fields.values()} | {_variable(name) for name in cls.model_fields}
        unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
        problems = [f"{name}: there is no such setting" for name in unknown]
        try:
            settings = cls.model_validate({name: value for name, value in environ.items() if value})
        except ValidationError as error:
            raise SettingsError(problems + _lines(error)) from None
        if problems:
            raise SettingsError(problems)
        return settings

    def environment(self) -> dict[str, str]:
        """The variables of a deployed task, from which `load()` makes these same settings again."""
        return {name: str(value) for name, value in self.model_dump(mode="json", by_alias=True, exclude=set(OUTSIDE_AWS)).items()}


def check_names(names: Iterable[str]) -> None:
    """Refuse names that are no settings of a deployed task.

    Raises:
        SettingsError: with a line for each such name.
    """
    allowed = Settings.model_fields.keys() - OUTSIDE_AWS
    if unknown := sorted(set(names) - allowed):
        raise SettingsError(f"{name}: no setting of a deployed task; there are {', '.join(sorted(allowed))}" for name in unknown)


def environment(values: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a deployed task, sorted by name, from settings by field name; the others have their defaults.

    Raises:
        SettingsError: a name is unknown or a value is not allowed.
    """
    check_names(values)
    try:
        return dict(sorted(Settings.model_validate(dict(values)).environment().items()))
    except ValidationError as error:
        raise SettingsError(_lines(error)) from None


def _lines(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors(include_input=False)]
