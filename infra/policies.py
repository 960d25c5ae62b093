"""IAM documents as text that is the same for the same meaning, so that nothing changes where nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, Output

Statement = Mapping[str, Any]


def allow(actions: Sequence[str], resources: Sequence[Input[str]], condition: Mapping[str, Any] | None = None) -> Statement:
    """A statement that allows these actions on these resources."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
    return statement | ({"Condition": condition} if condition else {})


def document(*statements: Input[Statement]) -> Output[str]:
    """A policy of these statements."""
    return Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def acting_for(account: Input[str], source_arn: Input[str]) -> Mapping[str, Any]:
    """The condition that a service acts for this account and, in it, for that resource or one that the pattern names.

    Without it the service could be made to use what is granted to it on behalf of somebody else.
    """
    return {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": source_arn}}


def trust(service: str, account: Input[str], source_arn: str) -> Output[str]:
    """Trust in a service of AWS, when it acts for this account and, in it, for `source_arn`, in which {0} is the account."""
    condition = acting_for(account, Output.format(source_arn, account))
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", "Condition": condition})
