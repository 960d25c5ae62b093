"""What ECS may do to start a task, and what the running app may do: two roles."""

from __future__ import annotations

from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pulumi_aws import iam

from infra.cache import Cache
from infra.config.stage import Stage
from infra.credentials import Credentials
from infra.image import Image
from infra.keys import EncryptionKey
from infra.logs import Logs
from infra.policies import Statement, allow, document, trust


class Roles(ComponentResource):
    """The execution role and the task role, each with exactly what it needs.

    ECS starts a task with the first: it pulls from the stage's repository and writes to its log group. The app runs with the second:
    it reads the stage's two secrets and connects to its cache as its user. Neither can be used on behalf of another account.
    """

    execution_arn: Output[str]
    task_arn: Output[str]
    policies: list[Resource]
    """What must exist before a task starts, or it could not pull its image or read its secrets."""

    def __init__(  # noqa: PLR0913  each is something that a role may touch
        self,
        *,
        stage: Stage,
        account: Output[str],
        key: EncryptionKey,
        logs: Logs,
        image: Image,
        credentials: Credentials,
        cache: Cache,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("gateway:roles:Roles", "roles", None, opts)
        self._trust = trust("ecs-tasks.amazonaws.com", account, f"arn:aws:ecs:{stage.region}:{{0}}:*")
        write = allow(["logs:CreateLogStream", "logs:PutLogEvents"], [Output.concat(logs.app_arn, ":*")])
        self.policies = []
        self.execution_arn = self._role("execution", f"{stage.label}: starts tasks", [*_pull(image.repository_arn), write])
        through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{stage.region}.amazonaws.com"}}
        self.task_arn = self._role(
            "task",
            f"{stage.label}: the running app",
            [
                allow(["secretsmanager:GetSecretValue"], [credentials.openai_arn, credentials.clients_arn]),
                allow(["kms:Decrypt"], [key.arn], through),
                allow(["elasticache:Connect"], [cache.arn, cache.user_arn]),
            ],
        )
        self.register_outputs({"execution": self.execution_arn, "task": self.task_arn})

    def _role(self, name: str, description: str, statements: list[Statement]) -> Output[str]:
        role = iam.Role(name, description=description, assume_role_policy=self._trust, opts=ResourceOptions(parent=self))
        self.policies.append(iam.RolePolicy(name, role=role.name, policy=document(*statements), opts=ResourceOptions(parent=self)))
        arn: Output[str] = role.arn
        return arn


def _pull(repository_arn: Output[str] | None) -> list[Statement]:
    if repository_arn is None:
        return []
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [allow(["ecr:GetAuthorizationToken"], ["*"]), allow(actions, [repository_arn])]  # a token is for a registry, not a repository
