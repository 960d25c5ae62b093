"""The program under the real engine, against the emulated AWS: deployed, unchanged, changed, refreshed, destroyed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from sandbox.aws import Aws
from sandbox.aws_server import AwsServer
from sandbox.engine import Engine
from sandbox.errors import SandboxError

pytestmark = [
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi CLI is not on PATH"),
    pytest.mark.timeout(600),
]


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Aws]:
    server = AwsServer()
    await server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield Aws(server.url, "us-east-1")
    await server.stop()


def summary(run: Callable[..., Any]) -> dict[str, int]:
    result = run()
    return dict(result.change_summary if isinstance(result, automation.PreviewResult) else result.summary.resource_changes or {})


def left(aws: Aws) -> dict[str, list[Any]]:
    """What stands in the account, beside what every account has."""
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    return {
        "networks": [item["VpcId"] for item in ec2.describe_vpcs()["Vpcs"] if not item["IsDefault"]],
        "addresses": ec2.describe_addresses()["Addresses"],
        "gateways": [item for item in ec2.describe_nat_gateways()["NatGateways"] if item["State"] != "deleted"],
        "balancers": elb.describe_load_balancers()["LoadBalancers"] + elb.describe_target_groups()["TargetGroups"],
        "firewalls": aws.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
        "clusters": aws.client("ecs").describe_clusters()["clusters"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "secrets": aws.client("secretsmanager").list_secrets()["SecretList"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "buckets": aws.client("s3").list_buckets()["Buckets"],
        "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": aws.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "scaling": aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"],
    }


async def test_the_life_of_a_stack(tmp_path: Path, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    before = left(aws)
    engine = await asyncio.to_thread(Engine, tmp_path, "local", {})

    with pytest.raises(SandboxError, match="The OpenAI key is missing"):  # all but the service is there, and what to do is said
        await asyncio.to_thread(engine.up)
    assert left(aws)["balancers"]

    secret = aws.client("secretsmanager").list_secrets(Filters=[{"Key": "name", "Values": ["openai-gateway-local/openai-key"]}])
    aws.call("secretsmanager", "put_secret_value", secretId=secret["SecretList"][0]["ARN"], secretString="sk-stored-by-its-owner")
    outputs = await asyncio.to_thread(engine.up)
    assert aws.client("ecs").describe_services(cluster=outputs["cluster"], services=[outputs["service"]])["services"]

    state = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.json"))
    assert "sk-stored-by-its-owner" not in state
    assert outputs["openaiSecretArn"] in state

    everything = summary(engine.stack.preview)
    assert everything.keys() == {"same"}, "a second preview changes nothing"
    assert summary(engine.stack.refresh) == everything
    assert summary(engine.stack.preview) == everything

    engine.stack.set_config("owner", automation.ConfigValue("the gateway team"))
    assert summary(engine.stack.up).keys() == {"same", "update"}, "a tag changes in place"
    group = aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    tags = aws.client("elbv2").describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]
    assert {"Key": "owner", "Value": "the gateway team"} in tags
    engine.stack.remove_config("owner")
    summary(engine.stack.up)
    tags = aws.client("elbv2").describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]
    assert "owner" not in {tag["Key"] for tag in tags}

    engine.stack.set_config("maxTasks", automation.ConfigValue("9"))
    assert summary(engine.stack.up).keys() == {"same", "update"}, "the target, and what is drawn and watched by it"
    target = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert target["MaxCapacity"] == 9

    group = aws.client("logs").describe_log_groups(logGroupNamePrefix=outputs["logGroup"])["logGroups"][0]["logGroupName"]
    aws.client("logs").delete_log_group(logGroupName=group)
    assert summary(engine.stack.refresh) == {"same": everything["same"] - 1, "delete": 1}
    assert summary(engine.stack.up)["create"] == 1

    summary(engine.stack.destroy)
    after = left(aws)
    after["clusters"] = [cluster for cluster in after["clusters"] if cluster["status"] != "INACTIVE"]
    assert after == before
    assert '"error":' not in capsys.readouterr().out
