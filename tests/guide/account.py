"""The local stack's account while it enforces IAM."""

from __future__ import annotations

import json
from typing import Any

import boto3
import httpx2
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.service import read_service
from tests.conftest import Stack

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


class Account:
    """An administrator's clients, and those of the service's two roles.

    moto decides by action: it takes the resource of every call as "*" and knows no condition of a call. So the roles' own policies stand
    in it without both until the account is closed.
    """

    def __init__(self, local: Stack) -> None:
        self.local = local
        outputs = local.described["outputs"]
        self.service = read_service(local.aws, outputs["cluster"], outputs["service"])
        definition = local.aws("ecs").describe_task_definition(taskDefinition=self.service.task_definition)["taskDefinition"]
        self.roles = {"task": str(definition["taskRoleArn"]), "execution": str(definition["executionRoleArn"])}
        sts = local.aws("sts")
        self.given = {who: sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"] for who, role in self.roles.items()}
        iam = local.aws("iam")
        self.policies = {who: self._policy(iam, who) for who in self.roles}
        iam.create_user(UserName="admin")
        iam.put_user_policy(UserName="admin", PolicyName="admin", PolicyDocument=EVERYTHING)
        self.given["admin"] = iam.create_access_key(UserName="admin")["AccessKey"]
        for who in self.roles:
            self.put(who, [self.by_action(statement) for statement in self.policies[who]["Statement"]])

    def _policy(self, iam: Any, who: str) -> Any:
        role = self.roles[who].rpartition("/")[2]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

    @staticmethod
    def by_action(statement: dict[str, Any]) -> dict[str, Any]:
        return {"Effect": statement["Effect"], "Action": statement["Action"], "Resource": "*"}

    def put(self, who: str, statements: list[dict[str, Any]]) -> None:
        """Give a role these statements instead of its own."""
        role, iam = self.roles[who].rpartition("/")[2], self.client("iam", "admin")
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def enforce(self, after: str) -> None:
        """Enforce IAM after that many calls."""
        httpx2.post(f"{self.local.described['aws_endpoint']}/moto-api/reset-auth", content=after).raise_for_status()

    def client(self, service: str, who: str) -> Any:
        found = self.given[who]
        return boto3.client(
            service,
            endpoint_url=self.local.described["aws_endpoint"],
            region_name=self.local.described["region"],
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def statuses(self, who: str, calls: list[tuple[str, str, dict[str, Any]]]) -> dict[str, int]:
        """What calls are answered with, by call."""
        return {f"{service}:{operation}": self.status(who, service, operation, arguments) for service, operation, arguments in calls}

    def status(self, who: str, service: str, operation: str, arguments: dict[str, Any]) -> int:
        """What a call is answered with: 403 is IAM's refusal."""
        named = {key: value.format(**self.roles) if key == "RoleArn" else value for key, value in arguments.items()}
        try:
            answer = getattr(self.client(service, who), operation)(**named)
        except ClientError as error:
            answer = error.response
        return int(answer["ResponseMetadata"]["HTTPStatusCode"])

    def close(self) -> None:
        self.enforce("inf")
        for who, policy in self.policies.items():
            self.put(who, policy["Statement"])
        iam = self.local.aws("iam")
        iam.delete_access_key(UserName="admin", AccessKeyId=self.given["admin"]["AccessKeyId"])
        iam.delete_user_policy(UserName="admin", PolicyName="admin")
        iam.delete_user(UserName="admin")
