from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin

import pulumi
import pytest
import yaml
from hypothesis import given, strategies as st

from infra.config.fargate import MEMORY_MIB, workers
from infra.config.reading import keys
from infra.config.rules import fargate_size
from infra.config.stage import Stage
from sandbox.errors import SandboxError
from sandbox.stack import ROOT, configuration, project
from tests.infra.deployment import STAGES, deploy

SUBNETS = [f"subnet-{number:08x}" for number in range(4)]
KINDS = {str: "string", int: "integer", bool: "boolean", tuple: "array"}


def values(stage: str, **overrides: object) -> dict[str, str]:
    return {key.partition(":")[2]: text for key, text in configuration(stage, overrides).items()}


def read(stage: str, **overrides: object) -> Stage:
    return Stage.read(values(stage, **overrides), project="openai-gateway", name=stage)


def problems(stage: str, **overrides: object) -> list[str]:
    with pytest.raises(pulumi.RunError) as refused:
        read(stage, **overrides)
    title, *lines = str(refused.value).split("\n  ")
    assert title == f"The configuration of stage {stage!r} cannot be used:"
    return lines


def kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        (plain,) = {type(value) for value in get_args(annotation)}
        return KINDS[plain]
    return KINDS[get_origin(annotation) or annotation]


def test_pulumi_yaml_and_the_model_have_the_same_keys_and_types() -> None:
    declared = {key: entry["type"] for key, entry in project()["config"].items()}
    assert declared == {key: kind(Stage.model_fields[name].annotation) for key, name in keys(Stage.model_fields).items()}


def test_every_key_is_described_and_has_a_default() -> None:
    for key, entry in project()["config"].items():
        assert entry.keys() >= {"type", "description", "default"}, key
        assert len(entry["description"]) > 10, key


def test_the_model_has_no_default_of_its_own() -> None:
    assert all(field.is_required() for field in Stage.model_fields.values())


def test_the_project_runs_as_it_is_and_as_a_template() -> None:
    assert project()["name"] == "openai-gateway"
    assert project()["main"] == "infra/"
    assert project()["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
    prompted = project()["template"]["config"]
    assert prompted.keys() <= project()["config"].keys()
    assert not {key for key in prompted if "key" in key.lower() or "openai" in key.lower()}, "a key is never prompted for"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_file_holds_only_differences_by_bare_keys(stage: str) -> None:
    own = yaml.safe_load((ROOT / f"Pulumi.{stage}.yaml").read_text())
    assert own.keys() == {"config"}, "no encryptionsalt, which belongs to one owner's stack"
    declared = project()["config"]
    for key, value in own["config"].items():
        assert ":" not in key, "a key with a namespace is lost when the project is renamed"
        assert value != declared[key]["default"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_valid_as_committed(stage: str) -> None:
    loaded = read(stage)
    assert loaded.label == f"openai-gateway-{stage}"


def test_the_stages_bill_different_projects() -> None:
    assert len({read(stage).openai_project for stage in STAGES}) == len(STAGES)


@pytest.mark.parametrize(
    ("stage", "overrides", "says"),
    [
        ("local", {"region": "eu-west-1"}, "region = \"eu-west-1\": allowed: 'us-east-1', 'us-east-2', 'us-west-1' or 'us-west-2'"),
        ("local", {"minTask": 3}, "minTask: there is no such key; did you mean minTasks?"),
        ("local", {"MINTASKS": 3}, "MINTASKS: there is no such key; did you mean minTasks?"),
        ("local", {"wafRateLimit": 3}, "wafRateLimit: there is no such key; Pulumi.yaml describes all there are"),
        ("local", {"minTasks": "three"}, 'minTasks = "three": allowed: a whole number'),
        ("local", {"minTasks": 2.5}, "minTasks = 2.5: allowed: a whole number"),
        ("local", {"minTasks": True}, "minTasks = true: allowed: a whole number"),
        ("local", {"minTasks": 0}, "minTasks = 0: allowed: 1 or more"),
        ("local", {"minTasks": 5}, "minTasks = 5: must not be more than maxTasks = 4"),
        ("local", {"protect": "yes"}, 'protect = "yes": allowed: true or false'),
        ("local", {"models": []}, "models = []: allowed: one or more"),
        ("local", {"models": "gpt-5"}, 'models = "gpt-5": allowed: a list'),
        ("local", {"models": ["a,b"]}, 'models = ["a,b"]: must be names of models, as gpt-6.1-terra'),
        ("local", {"models": ["a", "a"]}, 'models = ["a", "a"]: must not name anything twice'),
        ("local", {"allowedAccountIds": [123]}, "allowedAccountIds = [123]: allowed: text"),
        ("local", {"allowedAccountIds": ["123"]}, 'allowedAccountIds = ["123"]: must be account ids of 12 digits, in quotes'),
        ("local", {"openaiProject": "staging"}, 'openaiProject = "staging": must be as proj_…, or unset'),
        ("local", {"openaiOrganization": "acme"}, 'openaiOrganization = "acme": must be as org-…, or unset'),
        ("local", {"openaiBaseUrl": "openai"}, 'openaiBaseUrl = "openai": must be an address as https://api.openai.com/v1'),
        ("local", {"openaiBaseUrl": "https://x:8443/v1"}, "openaiBaseUrl = 'https://x:8443/v1': tasks reach the internet on port 443 only"),
        ("local", {"vpcCidr": "10.0.0.0/8"}, 'vpcCidr = "10.0.0.0/8": must be a private IPv4 range from /16 to /22'),
        ("local", {"zones": 1}, "zones = 1: allowed: 2 or more"),
        ("local", {"zones": 4}, "zones = 4: allowed: 3 or less"),
        ("local", {"zones": 3, "region": "us-west-1"}, "zones = 3: us-west-1 has 2"),
        ("local", {"natGateways": "none"}, "natGateways = \"none\": allowed: 'single' or 'perZone'"),
        ("local", {"image": "gateway:latest"}, 'image = "gateway:latest": must be by digest, as repository@sha256: and 64 hex digits'),
        ("local", {"taskCpu": 300}, "taskCpu = 300: allowed: 256, 512, 1024, 2048, 4096, 8192 or 16384"),
        ("local", {"taskCpu": 256, "taskMemoryMiB": 4096}, "taskMemoryMiB = 4096: with taskCpu = 256 Fargate has 512, 1024, 2048"),
        ("local", {"taskCpu": 1024}, "taskMemoryMiB = 1024: with taskCpu = 1024 Fargate has 2048 to 8192 in steps of 1024"),
        ("local", {"cacheNodeType": "t4g.micro"}, 'cacheNodeType = "t4g.micro": must be an ElastiCache node type as cache.t4g.micro'),
        ("local", {"cacheReplicas": 6}, "cacheReplicas = 6: allowed: 5 or less"),
        ("local", {"logRetentionDays": 31}, "logRetentionDays = 31: allowed: 1, 3, 5, 7, 14, 30, 60,"),
        ("local", {"defaultOutputTokens": 20000}, "defaultOutputTokens = 20000: must not be more than maxOutputTokens = 16384"),
        ("local", {"spendLadder": "0.9:alert,0.8:stop"}, "spendLadder = '0.9:alert,0.8:stop': each share must be more than the one before"),
        ("local", {"spendLadder": "0.9:panic"}, 'spendLadder = "0.9:panic": must be shares and steps as'),
        ("local", {"secretRecoveryDays": 3}, "secretRecoveryDays = 3: allowed: 0, 7, 8,"),
        ("local", {"healthCheckIntervalSeconds": 4}, "healthCheckIntervalSeconds = 4: allowed: 5 or more"),
        ("local", {"drainSeconds": 111}, "drainSeconds = 111: 111 + 10 s to leave = 121 s"),
        ("local", {"pingSeconds": 700}, "pingSeconds = 700: must be less than idleTimeoutSeconds = 615"),
        ("local", {"idleTimeoutSeconds": 60}, "requestTimeoutSeconds = 600: must be less than idleTimeoutSeconds = 60"),
        ("local", {"domain": "https://x.com"}, 'domain = "https://x.com": must be a name in lower case as gateway.example.com'),
        ("local", {"domain": "x.com"}, "hostedZoneId is unset: domain = 'x.com' needs the Route 53 zone"),
        ("local", {"hostedZoneId": "Z1"}, "hostedZoneId = 'Z1': stands without a domain"),
        ("local", {"alarmMails": ["team"]}, 'alarmMails = ["team"]: must be mail addresses as team@example.com'),
        ("prod", {"alarmMails": []}, "alarmMails is unset: alarms of a protected stage (protect = true) must reach somebody"),
        ("local", {"requestsPerAddress": 9}, "requestsPerAddress = 9: allowed: 10 or more"),
        ("local", {"maxKeyAgeDays": 0}, "maxKeyAgeDays = 0: allowed: 1 or more"),
        ("local", {"costCeilingUsd": -1}, "costCeilingUsd = -1: allowed: 0 or more"),
        (
            "local",
            {"interfaceEndpoints": ["s3"]},
            "interfaceEndpoints = [\"s3\"]: allowed: 'ecr.api', 'ecr.dkr', 'logs' or 'secretsmanager'",
        ),
        ("local", {"interfaceEndpoints": ["logs", "logs"]}, 'interfaceEndpoints = ["logs", "logs"]: must not name anything twice'),
        ("local", {"vpcId": "main"}, 'vpcId = "main": must be the id of a network as vpc-0123456789abcdef0, or unset'),
        ("local", {"privateSubnetIds": ["a", "b"]}, 'privateSubnetIds = ["a", "b"]: must be ids of subnets as subnet-0123456789abcdef0'),
        ("local", {"publicSubnetIds": [SUBNETS[0]]}, f'publicSubnetIds = ["{SUBNETS[0]}"]: vpcId is unset'),
        (
            "local",
            {"vpcId": "vpc-12345678", "publicSubnetIds": SUBNETS[:2], "privateSubnetIds": SUBNETS[2:3]},
            f"privateSubnetIds = [\"{SUBNETS[2]}\"]: vpcId = 'vpc-12345678' needs 2 or more of its subnets here, in different zones",
        ),
        (
            "local",
            {"vpcId": "vpc-12345678", "publicSubnetIds": SUBNETS[:2], "privateSubnetIds": SUBNETS[1:3]},
            f'privateSubnetIds = ["{SUBNETS[1]}", "{SUBNETS[2]}"]: {SUBNETS[1]} stands in publicSubnetIds too',
        ),
        ("local", {"targetInFlight": 0}, "targetInFlight = 0: allowed: 1 or more"),
        ("local", {"busyMinTasks": 2}, "busyMinTasks = 2: must be more than minTasks = 2, and not more than maxTasks = 4"),
        ("local", {"busyMinTasks": 5}, "busyMinTasks = 5: must be more than minTasks = 2, and not more than maxTasks = 4"),
        ("local", {"busyFrom": "8 o'clock"}, 'busyFrom = "8 o\'clock": must be a schedule of AWS as cron(0 8 ? * MON-FRI *)'),
        ("local", {"busyTimezone": "New York"}, 'busyTimezone = "New York": must be a time zone as America/New_York or UTC'),
        ("local", {"spotPercent": 101}, "spotPercent = 101: allowed: 100 or less"),
        ("local", {"workers": -1}, "workers = -1: allowed: 0 or more"),
        ("local", {"trafficSeconds": 0}, "trafficSeconds = 0: allowed: 1 or more"),
        ("local", {"trafficModelMix": "gpt-6-luna"}, 'trafficModelMix = "gpt-6-luna": must be models and their percent as'),
        ("local", {"trafficModelMix": "gpt-6-luna:60"}, "trafficModelMix = 'gpt-6-luna:60': the shares are 60 together; allowed: 100"),
        (
            "local",
            {"trafficModelMix": "gpt-9:100"},
            'trafficModelMix = \'gpt-9:100\': gpt-9 is not among models = ["gpt-6.1-terra", "gpt-6-luna"]',
        ),
        (
            "local",
            {"openaiTokensPerMinute": 360_000},
            (
                "maxTasks = 4: openaiTokensPerMinute = 360000 keeps 2 busy, more would only wait for OpenAI: a task at targetInFlight = 20 "
                "uses 20 x 60 / 10 s x (1000 + 500) tokens = 180000 a minute; allowed: up to 2"
            ),
        ),
        ("local", {"allowPlainHttp": False}, "domain is unset: without one callers' keys cross the internet unencrypted"),
        ("prod", {"allowPlainHttp": True}, "allowPlainHttp = true: a protected stage (protect = true) never serves plain HTTP"),
        ("prod", {"domain": "", "hostedZoneId": ""}, "domain is unset: a protected stage (protect = true) serves HTTPS only"),
        (
            "prod",
            {"openaiBaseUrl": "http://x"},
            "openaiBaseUrl = 'http://x': a protected stage (protect = true) calls OpenAI over https://",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_allowed(stage: str, overrides: dict[str, object], says: str) -> None:
    (problem,) = problems(stage, **overrides)
    assert problem.startswith(says)


def test_all_problems_are_said_at_once() -> None:
    found = problems("local", region="mars", minTasks=9, drainSeconds=120, modles=["x"], zones=0)
    assert [line.split(" ")[0].rstrip(":") for line in found] == ["modles", "region", "zones", "minTasks", "drainSeconds"]


def test_a_key_without_value_is_named() -> None:
    given = values("local")
    del given["zones"]
    with pytest.raises(pulumi.RunError, match=r"zones: has no value, and no default in Pulumi\.yaml"):
        Stage.read(given, project="openai-gateway", name="local")


def test_a_secret_value_is_not_shown() -> None:
    with pytest.raises(pulumi.RunError, match=r"openaiProject = \"\[secret\]\": must be") as refused:
        Stage.read(values("local", openaiProject="a-secret-123"), project="openai-gateway", name="local", secret={"openaiProject"})
    assert "a-secret-123" not in str(refused.value)


def test_an_openai_key_in_the_wrong_place_is_not_shown() -> None:
    (problem,) = problems("local", openaiProject="sk-proj-abc_123")
    assert problem == 'openaiProject = "[secret]": must be as proj_…, or unset'


def test_a_name_too_long_for_aws_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="must begin with a letter and have at most 36 characters"):
        Stage.read(values("local"), project="a-rather-long-name-for-a-gateway", name="staging")


def test_a_renamed_project_keeps_its_configuration() -> None:
    renamed = Stage.read(values("staging"), project="Our_LLM.Gateway", name="staging")
    assert renamed.label == "our-llm-gateway-staging"


def test_the_program_refuses_before_any_resource_exists() -> None:
    with pytest.raises(SandboxError) as refused:
        deploy("local", region="eu-west-1", minTask=3)
    assert "minTask: there is no such key; did you mean minTasks?" in str(refused.value)
    assert 'region = "eu-west-1"' in str(refused.value)
    assert "Traceback" not in str(refused.value)


@given(st.sampled_from(sorted(MEMORY_MIB)), st.integers(min_value=512, max_value=122880))
def test_a_task_size_is_accepted_exactly_where_fargate_has_it(cpu: int, memory: int) -> None:
    assert bool(list(fargate_size(cpu, memory))) == (memory not in MEMORY_MIB[cpu])
    assert not list(fargate_size(cpu, MEMORY_MIB[cpu][-1]))


@given(st.sampled_from(sorted(MEMORY_MIB)))
def test_a_bigger_task_has_more_workers(cpu: int) -> None:
    assert workers(cpu) == max(1, cpu // 1024)


def test_no_module_asks_which_stage_it_is() -> None:
    code = [const for const in _constants("infra") if const in STAGES]
    assert not code, "stages differ by configuration only"


def _constants(folder: str) -> list[object]:
    found: list[object] = []
    for path in (ROOT / folder).rglob("*.py"):
        pending: list[object] = [compile(path.read_text(), path.name, "exec")]
        while pending:
            item = pending.pop()
            if isinstance(item, types.CodeType):
                pending += item.co_consts
            elif isinstance(item, tuple):
                pending += item
            else:
                found.append(item)
    return found
