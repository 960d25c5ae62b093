"""`python -m sandbox`, driven as a newcomer drives it: the command line, HTTP, and the emulated AWS behind it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.conftest import ROOT, Stack, start


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | environment
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=90, check=False)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_says_what_runs_where(local: Stack) -> None:
    described = local.described
    assert described["engine"] == "in process"
    assert len(described["tasks"]) == 2
    assert all(alive(task["pid"]) for task in described["tasks"])
    states = {resource["state"] for resource in described["resources"]}
    assert states == {"created", "recorded"}
    recorded = {resource["type"] for resource in described["resources"] if resource["state"] == "recorded"}
    lacking = ("aws:elasticache/", "aws:cloudwatch/compositeAlarm:", "aws:ecs/clusterCapacityProviders:")
    settings_of_a_bucket = re.compile(r"aws:s3/bucket[A-Z]")  # the archive's, which nothing here writes to
    others = [kind for kind in recorded if not kind.startswith(lacking) and not settings_of_a_bucket.match(kind)]
    assert not others, "only what moto lacks or nothing looks at may be recorded"


def test_what_it_says_is_created_stands_in_the_emulated_account(local: Stack) -> None:
    outputs = local.described["outputs"]
    service = local.aws("ecs").describe_services(cluster=outputs["cluster"], services=[outputs["service"]])["services"][0]
    assert service["status"] == "ACTIVE"
    groups = [balancer["targetGroupArn"] for balancer in service["loadBalancers"]]
    assert local.aws("elbv2").describe_target_groups(TargetGroupArns=groups)["TargetGroups"][0]["HealthCheckPath"] == "/readyz"
    group = local.aws("logs").describe_log_groups(logGroupNamePrefix=outputs["logGroup"])["logGroups"][0]
    assert group["retentionInDays"] == 1
    assert group["kmsKeyId"]


def test_tasks_have_the_deployed_environment_and_no_key(local: Stack) -> None:
    outputs = local.described["outputs"]
    service = local.aws("ecs").describe_services(cluster=outputs["cluster"], services=[outputs["service"]])["services"][0]
    definition = local.aws("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    deployed = {item["name"]: item["value"] for item in definition["containerDefinitions"][0]["environment"]}
    for task in local.described["tasks"]:
        environment = dict(item.split("=", 1) for item in Path(f"/proc/{task['pid']}/environ").read_text().split("\0") if "=" in item)
        differing = {name for name, value in deployed.items() if environment.get(name) != value}
        assert differing == set(local.described["substitutions"]), "the cache's address is the one substitution"
        assert not any("SECRET_ACCESS_KEY" in name or name == "OPENAI_API_KEY" for name in environment)


def test_a_port_in_use_is_one_clear_line_and_leaves_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--in-process", "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"error: port {port} is in use: end what listens there, or choose another one with --port"
    assert "Traceback" not in ended.stderr


def test_real_openai_wants_a_key() -> None:
    ended = run("--real-openai")
    assert ended.returncode == 1
    assert ended.stderr == "error: --real-openai calls OpenAI with your key: put it into the variable OPENAI_API_KEY first\n"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_lost_task_is_replaced_and_ctrl_c_takes_every_process_down(tmp_path: Path) -> None:
    stack = start(tmp_path, "--in-process")
    lost, kept = (task["pid"] for task in stack.described["tasks"])
    os.kill(lost, signal.SIGKILL)
    answers = {httpx2.get(f"{stack.url}/readyz", timeout=10).status_code for _ in range(20)}
    assert answers == {200}, "the other task answers meanwhile"
    wait_until(lambda: len(set(children(stack.process.pid)) - {lost}) >= 3)
    running = children(stack.process.pid)
    assert kept in running
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(timeout=30) == 0
    assert not [pid for pid in running if alive(pid)]


def test_sigterm_during_the_start_takes_every_process_down() -> None:
    command = [sys.executable, "-m", "sandbox", "--in-process", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        seen = process.stderr.readline()  # the note on the engine comes before anything is started
        wait_until(lambda: len(children(process.pid)) >= 2)
        running = children(process.pid)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in seen + rest
    assert not [pid for pid in running if alive(pid)]


def wait_until(held: Callable[[], bool]) -> None:
    for _ in range(600):
        if held():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about within 30 s")


def test_smoke_drives_it_with_openais_client() -> None:
    ended = run("smoke", "--in-process", "--tasks", "1")
    assert ended.returncode == 0, ended.stderr
    assert "smoke test passed: 4 of 4 checks held" in ended.stderr
