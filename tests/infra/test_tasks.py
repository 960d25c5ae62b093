"""What runs, how it is kept running, and how many of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from app.metrics import IN_FLIGHT, NAMESPACE, STAGE
from app.settings import OUTSIDE_AWS, Settings
from infra import task
from infra.config.traffic import Traffic
from tests.infra.deployment import Deployment, deploy


def test_the_app_reads_from_its_environment_what_the_stage_says(deployed: Deployment) -> None:
    environment = deployed.environment()
    assert environment.pop("AWS_REGION") == deployed.outputs["region"]
    settings = Settings.load(environment)
    assert settings.openai_secret_id == deployed.outputs["openaiSecretArn"]
    assert settings.clients_secret_id == deployed.outputs["clientsSecretArn"]
    user = deployed.one("elasticache:User", "cache").inputs["userName"]
    assert settings.cache_url == f"rediss://{user}@{deployed.outputs['cacheEndpoint']}:6379"
    assert settings.cache_iam_cluster == deployed.one("elasticache:ReplicationGroup", "cache").inputs["replicationGroupId"]
    assert settings.models == ("gpt-6.1-terra", "gpt-6-luna")


def test_each_stage_bills_its_own_project_and_organization(staging: Deployment, prod: Deployment, varied: Deployment) -> None:
    assert staging.environment()["OPENAI_PROJECT_ID"] == "proj_staging"
    assert prod.environment()["OPENAI_PROJECT_ID"] == "proj_prod"
    assert "OPENAI_ORG_ID" not in prod.environment(), "unset, the key's own organization pays"
    assert varied.environment()["OPENAI_ORG_ID"] == "org-acme"


def test_no_secret_is_in_the_environment(deployed: Deployment) -> None:
    environment = deployed.environment()
    assert not {str(Settings.model_fields[name].alias) for name in OUTSIDE_AWS} & environment.keys()
    assert "secrets" not in deployed.container(), "the app reads its secrets itself, so that they change without a restart"
    assert "[secret]" not in json.dumps(deployed.container())


def test_the_container_can_do_nothing_but_its_work(deployed: Deployment) -> None:
    container = deployed.container()
    assert container["user"] == "10001:10001"
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True}
    assert container["mountPoints"] == [{"containerPath": "/tmp", "sourceVolume": "tmp"}]  # noqa: S108  the task's own
    assert not {"privileged", "secrets", "command", "entryPoint"} & container.keys()


def test_logs_never_block_the_app(deployed: Deployment) -> None:
    log = deployed.container()["logConfiguration"]
    assert log["logDriver"] == "awslogs"
    assert log["options"]["mode"] == "non-blocking"
    assert log["options"]["awslogs-group"] == deployed.outputs["logGroup"]
    assert "awslogs-create-group" not in log["options"]


def test_the_container_is_asked_whether_it_lives(deployed: Deployment) -> None:
    command = deployed.container()["healthCheck"]["command"]
    assert command[:3] == ["CMD", "python", "-c"]
    assert "/healthz" in command[3]
    compile(command[3], "health check", "exec")


def test_the_task_is_fargate_on_arm(deployed: Deployment) -> None:
    given = deployed.one("ecs:TaskDefinition", "gateway").inputs
    assert given["requiresCompatibilities"] == ["FARGATE"]
    assert given["networkMode"] == "awsvpc"
    assert given["runtimePlatform"] == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    assert given["volumes"] == [{"name": "tmp"}]
    assert given["executionRoleArn"] != given["taskRoleArn"]
    assert deployed.one("iam:Role", "task").id in given["taskRoleArn"]
    assert deployed.one("iam:Role", "execution").id in given["executionRoleArn"]


def test_workers_follow_the_cpus(staging: Deployment, varied: Deployment) -> None:
    for deployed, cpu, memory, workers in ((staging, "512", "1024", "1"), (varied, "4096", "8192", "4")):
        given = deployed.one("ecs:TaskDefinition", "gateway").inputs
        assert (given["cpu"], given["memory"]) == (cpu, memory)
        assert deployed.environment()["GATEWAY_WORKERS"] == workers


def test_the_definition_is_the_same_text_for_the_same_task() -> None:
    one = task.definition(image="a@b", environment={"B": "2", "A": "1"}, stop_s=1, log_group="/g", region="us-east-1")
    other = task.definition(image="a@b", environment={"A": "1", "B": "2"}, stop_s=1, log_group="/g", region="us-east-1")
    assert one == other
    assert one == json.dumps(json.loads(one), sort_keys=True, separators=(",", ":"))
    assert [item["name"] for item in json.loads(one)[0]["environment"]] == ["A", "B"]


def test_the_definition_has_nothing_empty_that_ecs_would_leave_out(deployed: Deployment) -> None:
    container = deployed.container()
    assert all(value not in (None, [], {}, "", 0) for value in container.values())
    assert all(item["value"] for item in container["environment"])


def test_a_failed_deployment_goes_back_and_none_interrupts(deployed: Deployment) -> None:
    given = deployed.one("ecs:Service", "gateway").inputs
    assert given["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert given["deploymentMinimumHealthyPercent"] == 100
    assert given["deploymentMaximumPercent"] == 200
    assert given["waitForSteadyState"] is True
    assert given["healthCheckGracePeriodSeconds"] >= 30


def test_nobody_can_open_a_shell_in_a_task_and_tasks_carry_tags(deployed: Deployment) -> None:
    given = deployed.one("ecs:Service", "gateway").inputs
    assert given["enableExecuteCommand"] is False
    assert given["propagateTags"] == "SERVICE"
    assert given["enableEcsManagedTags"] is True
    settings = deployed.one("ecs:Cluster", "gateway").inputs["settings"]
    assert settings == [{"name": "containerInsights", "value": "enabled"}]


def test_the_service_waits_for_its_listener_its_policies_and_its_way_out(deployed: Deployment) -> None:
    waits = deployed.one("ecs:Service", "gateway").depends_on
    wanted = {
        *(("lb:Listener", name) for name in deployed.all("lb:Listener")),
        *(("iam:RolePolicy", name) for name in ("task", "execution")),
        *(("ec2:Route", name) for name in deployed.all("ec2:Route")),
        *(("vpc:SecurityGroupEgressRule", name) for name in deployed.all("vpc:SecurityGroupEgressRule")),
    }
    assert wanted <= waits


def test_the_balancer_sends_to_the_container(deployed: Deployment) -> None:
    (target,) = deployed.one("ecs:Service", "gateway").inputs["loadBalancers"]
    container = deployed.container()
    assert target["containerName"] == container["name"]
    assert [int(target["containerPort"])] == [port["containerPort"] for port in container["portMappings"]]
    assert deployed.one("lb:TargetGroup", "tasks").id in target["targetGroupArn"]
    assert deployed.one("ecs:Service", "gateway").inputs["networkConfiguration"]["securityGroups"] == [
        deployed.one("ec2:SecurityGroup", "tasks").id
    ]


def test_the_number_of_tasks_belongs_to_scaling(deployed: Deployment) -> None:
    service = deployed.one("ecs:Service", "gateway")
    target = deployed.one("appautoscaling:Target", "tasks").inputs
    assert "desiredCount" in service.ignore_changes
    assert service.inputs["desiredCount"] == target["minCapacity"] <= target["maxCapacity"]
    assert target["resourceId"] == f"service/{deployed.outputs['cluster']}/{deployed.outputs['service']}"
    assert target["scalableDimension"] == "ecs:service:DesiredCount"


def test_scaling_is_fast_out_and_slow_in_on_cpu_and_requests_in_flight(deployed: Deployment) -> None:
    tracking = {}
    for name, policy in deployed.all("appautoscaling:Policy").items():
        assert policy.inputs["policyType"] == "TargetTrackingScaling"
        tracking[name] = policy.inputs["targetTrackingScalingPolicyConfiguration"]
        assert tracking[name]["scaleOutCooldown"] < tracking[name]["scaleInCooldown"]
    assert tracking["cpu"]["predefinedMetricSpecification"] == {"predefinedMetricType": "ECSServiceAverageCPUUtilization"}
    assert tracking["in-flight"]["targetValue"] == 20


def test_requests_in_flight_are_counted_by_task(varied: Deployment) -> None:
    worker, task = in_flight(varied)
    assert worker["metricStat"] == {
        "metric": {"namespace": NAMESPACE, "metricName": IN_FLIGHT.name, "dimensions": [{"name": "Stage", "value": "staging"}]},
        "stat": "Average",
    }
    assert (worker["returnData"], task["returnData"]) == (False, True)
    assert task["expression"] == f"{worker['id']} * 4"
    assert varied.environment()["GATEWAY_WORKERS"] == "4"
    assert [STAGE] in IN_FLIGHT.dimension_sets


def test_workers_can_be_set() -> None:
    deployed = deploy("staging", workers=3)
    assert deployed.environment()["GATEWAY_WORKERS"] == "3"
    assert in_flight(deployed)[1]["expression"].endswith("* 3")


def in_flight(deployed: Deployment) -> list[dict[str, Any]]:
    given = deployed.one("appautoscaling:Policy", "in-flight").inputs["targetTrackingScalingPolicyConfiguration"]
    metrics = given["customizedMetricSpecification"]["metrics"]
    assert isinstance(metrics, list)
    return metrics


def test_more_tasks_stand_by_in_busy_hours() -> None:
    deployed = deploy("prod", busyMinTasks=6, busyTimezone="America/Los_Angeles")
    busy, quiet = (
        deployed.one("appautoscaling:ScheduledAction", "busy").inputs,
        deployed.one("appautoscaling:ScheduledAction", "quiet").inputs,
    )
    assert (busy["schedule"], busy["timezone"]) == ("cron(0 8 ? * MON-FRI *)", "America/Los_Angeles")
    assert busy["scalableTargetAction"] == {"minCapacity": 6, "maxCapacity": 12}
    assert (quiet["schedule"], quiet["timezone"]) == ("cron(0 20 ? * MON-FRI *)", "America/Los_Angeles")
    assert quiet["scalableTargetAction"] == {"minCapacity": 3, "maxCapacity": 12}
    target = deployed.one("appautoscaling:Target", "tasks")
    assert target.inputs["resourceId"] == busy["resourceId"]
    assert target.ignore_changes == ("minCapacity",), "a deployment in busy hours does not end them"
    assert not deploy("prod").all("appautoscaling:ScheduledAction")


@given(st.integers(0, 10**7), st.integers(1, 500), st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 600))
def test_the_last_task_that_is_fed_has_something_to_do(limit: int, in_flight: int, prompt: int, output: int, seconds: int) -> None:
    traffic = Traffic(0, prompt, output, seconds, 0)
    each, tasks = traffic.tokens_per_minute(in_flight), traffic.fed(limit, in_flight)
    assert tasks * each >= limit * (1 - 1e-9), "all of them together can use the whole limit"
    assert (tasks - 1) * each < max(limit, 1), "without the last one they could not"
