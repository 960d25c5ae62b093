"""Secrets: where they are kept, and that they are nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from policies.policy import Policy, at_least, given
from policies.stack import SECRET, Resource, Stack, texts

KEYS = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|gwk-[A-Za-z0-9_-]{16,}|(AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@]+:[^/\s:@]+@"
)
"""Keys of OpenAI and of the gateway, of AWS, GitHub and Slack, tokens, private keys, passwords in addresses."""
NAMES = re.compile(r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE)
HIDDEN = {"docker-build:Image": ("registries",)}
"""Properties that hold a secret which ends by itself, and which Pulumi encrypts: the registry's password of an hour."""
OUTPUTS = "pulumi:Stack"


def plain(resource: Resource, _stack: Stack) -> Iterator[str]:
    if resource.kind != OUTPUTS:
        yield from keys_in(resource)


def plain_output(outputs: Resource, _stack: Stack) -> Iterator[str]:
    yield from keys_in(outputs)


def keys_in(resource: Resource) -> Iterator[str]:
    for key, value in resource.props.items():
        for path, text in texts(value, key) if key not in HIDDEN.get(resource.kind, ()) else ():
            if KEYS.search(text):
                yield f"{path} holds what looks like a key"


def environment(task: Resource, _stack: Stack) -> Iterator[str]:
    if task.get("containerDefinitions") == SECRET:
        yield "containerDefinitions is secret as a whole, so something in it is; ECS keeps and shows it as plain text"
    for container in task.parsed("containerDefinitions") or []:
        for variable in container.get("environment") or []:
            if NAMES.search(variable["name"]):
                yield f"container {container.get('name')}: the variable {variable['name']} holds a secret by its name"


def no_value(version: Resource, _stack: Stack) -> Iterator[str]:
    if version.get("secretBinary") is not None:
        yield "secretBinary holds a value"
    text = version.known("secretString")  # run in process it is hidden, and only the engine tells
    if text is not None and not _empty(text):
        yield "secretString holds a value"


def _empty(text: str) -> bool:
    try:
        return not json.loads(text)
    except ValueError:
        return False


POLICIES = (
    Policy(
        name="plain-secret",
        title="No key stands in any property",
        why="Whoever may read the state, the console or a log of a deployment would have it.",
        fix="Keep it in Secrets Manager, name the secret, and read it at run time. Rotate the key: it was written down.",
        on=("*",),
        check=plain,
        severity="critical",
        covers=("ecs_task_definitions_no_environment_secrets",),
    ),
    Policy(
        name="plain-output",
        title="No key is an output",
        why="Outputs are what everyone reads: other stacks, pipelines, logs.",
        fix="Export the secret's ARN instead. Rotate the key: it was written down.",
        on=(OUTPUTS,),
        check=plain_output,
        severity="critical",
        whole=True,
    ),
    Policy(
        name="container-secrets",
        title="No variable of the container is a secret by its name",
        why="The console and every description of the task show variables as plain text.",
        fix="Pass the name of a secret, as GATEWAY_OPENAI_SECRET_ID, and read it with the task's role.",
        on=("ecs:TaskDefinition",),
        check=environment,
        severity="high",
        covers=("ecs_task_definitions_no_environment_secrets",),
    ),
    Policy(
        name="secret-key",
        title="A secret is encrypted with a key of the stage's own",
        why="AWS's own key answers to everyone in the account; with the stage's, who could read it is a question with an answer.",
        fix="kms_key_id=key.arn.",
        on=("secretsmanager:Secret",),
        check=given("kmsKeyId", unlike="alias/aws/"),
        severity="high",
        covers=("CKV_AWS_149",),
    ),
    Policy(
        name="secret-value",
        title="The program puts no value into a secret",
        why="It would stand in the program, its configuration or its state.",
        fix="Make the secret empty, and store its value with `make key`.",
        on=("secretsmanager:SecretVersion",),
        check=no_value,
        severity="critical",
    ),
    Policy(
        name="secret-kept",
        title="A protected stage's deleted secret can be restored for a week or more",
        why="Nobody has a copy of the callers' keys.",
        fix="`secretRecoveryDays` of 7 to 30.",
        on=("secretsmanager:Secret",),
        check=at_least("recoveryWindowInDays", 7),
        protected=True,
    ),
)
