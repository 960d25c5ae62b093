"""Calls of the emulated AWS, with arguments matched to an operation's parameters by botocore's own description of them."""

from __future__ import annotations

import re
import threading
from typing import Any

import boto3
import jmespath
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sandbox.errors import SandboxError

Arguments = dict[str, Any]

ACCOUNT = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
"""What the emulated AWS takes; it checks none."""

TAGGING = {
    "ec2": ("create_tags", "delete_tags", "resources"),
    "kms": ("tag_resource", "untag_resource", "keyId"),
    "secretsmanager": ("tag_resource", "untag_resource", "secretId"),
    "logs": ("tag_resource", "untag_resource", "resourceArn"),
    "iam": ("tag_role", "untag_role", "roleName"),
    "elbv2": ("add_tags", "remove_tags", "resourceArns"),
    "ecs": ("tag_resource", "untag_resource", "resourceArn"),
    "events": ("tag_resource", "untag_resource", "resourceARN"),
    "cloudwatch": ("tag_resource", "untag_resource", "resourceARN"),
    "sns": ("tag_resource", "untag_resource", "resourceArn"),
    "wafv2": ("tag_resource", "untag_resource", "resourceARN"),
}
"""By service: the operations that set and remove tags, and the parameter that names the resource."""


class Aws:
    """The emulated AWS at an endpoint, for the threads of one run."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint, self.region = endpoint, region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The boto3 client of a service; they are made one at a time, as boto3 wants it."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service,
                    region_name=self.region,
                    endpoint_url=self.endpoint,
                    aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                    config=Config(retries={"max_attempts": 2}, max_pool_connections=32),
                )
            return self._clients[service]

    def call(self, service: str, operation: str, /, **arguments: Any) -> Any:
        """Call an operation with those of the arguments that it has a parameter for.

        Raises:
            SandboxError: AWS refused it; the message is AWS's own.
        """
        try:
            return getattr(self.client(service), operation)(**matched(self._shape(service, operation), arguments))
        except (ClientError, BotoCoreError) as error:
            raise SandboxError(str(error)) from error
        except ResponseParserError:
            raise SandboxError(f"the emulated AWS broke down in {service} {operation} (moto's own error)") from None

    def required(self, service: str, operation: str) -> list[str]:
        """The parameters that an operation cannot do without."""
        return list(self._shape(service, operation).required_members)

    def _shape(self, service: str, operation: str) -> Any:
        meta = self.client(service).meta
        return meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape

    def tag(self, service: str, identifier: str, tags: Arguments, stale: set[str]) -> None:
        """Set tags, and remove those whose keys are stale."""
        setter, remover, key = TAGGING[service]
        if tags:
            self.call(service, setter, **{key: identifier, "tags": tags})
        if stale:
            self.call(service, remover, **{key: identifier, "tagKeys": sorted(stale), "tags": dict.fromkeys(stale, "")})


def find(expression: str, answer: Any) -> Any:
    """What a JMESPath expression finds in an answer."""
    return jmespath.search(expression, answer)


def whole(value: Any) -> Any:
    """The value with whole numbers as integers: Pulumi's protocol has only floats."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def matched(shape: Any, value: Any) -> Any:
    """The value as botocore's shape wants it; names are matched whatever their case, a plural or a Pulumi block of one taken as meant."""
    if shape.type_name == "structure":
        block = value[0] if isinstance(value, list) and value else value
        ours = {_folded(key): item for key, item in block.items() if item is not None}
        members = ((name, member, ours.get(_folded(name))) for name, member in shape.members.items())
        return {name: matched(member, item) for name, member, item in members if item is not None}
    if shape.type_name == "list":
        if isinstance(value, dict) and shape.member.type_name == "structure" and _is_tag(shape.member):
            key, content = sorted(shape.member.members, key=lambda name: not name.lower().endswith("key"))[:2]
            return [{key: name, content: text} for name, text in value.items()]
        return [matched(shape.member, item) for item in (value if isinstance(value, list) else [value])]
    if shape.type_name == "map":
        return {str(key): matched(shape.value, item) for key, item in value.items()}
    return str(value) if shape.type_name == "string" else value


def _is_tag(shape: Any) -> bool:
    names = {name.lower().removeprefix("tag") for name in shape.members}
    return {"key", "value"} <= names


def _folded(name: str) -> str:
    """The form in which Pulumi's and AWS's spellings of one name meet: subnetIds, SubnetIds; loadBalancers, LoadBalancer."""
    return re.sub(r"(?<=[^s])s$", "", name).lower()
