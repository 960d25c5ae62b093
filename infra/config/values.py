"""What a value of a stage's configuration can be. Each refuses anything else in words that say what is allowed."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from infra.config.subnets import network


def matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not name anything twice")
    return values


def private_network(value: str) -> str:
    return str(network(value))


def timezone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone as America/New_York or UTC") from None


Account = Annotated[str, matching(r"\d{12}", "account ids of 12 digits, in quotes")]
Model = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", "names of models, as gpt-6.1-terra")]
Count = Annotated[int, Field(ge=0, le=10**9)]
LADDER = r"(\d+(\.\d+)?:(alert|cheaper|shorter|cache|stop)(,(?=\d)|$))*"
Seconds = Annotated[int, Field(ge=1, le=3600)]
RecoveryDays = Literal[0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
Mail = Annotated[str, matching(r"[^\s@<>,]+@[^\s@<>,]+\.[^\s@<>,.]+", "mail addresses as team@example.com")]
SubnetId = Annotated[str, matching(r"subnet-[0-9a-f]{8,17}", "ids of subnets as subnet-0123456789abcdef0")]
Endpoint = Literal["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
Percent = Annotated[int, Field(ge=0, le=100)]
CRON = r"cron\(\S+ \S+ \S+ \S+ \S+ \S+\)"
MIX = r"([^\s,:]+(:[^\s,:]+)*:\d{1,3}(,(?=[^,])|$))*"
