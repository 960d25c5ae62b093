import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import boto3
import pytest
from moto.server import ThreadedMotoServer

from sandbox.balancer import Balancer
from sandbox.balancer_settings import BalancerSettings
from sandbox.errors import SandboxError
from sandbox.scheduler import Scheduler, Task
from sandbox.service import Service, read_service

REGION = "us-east-1"
PROGRAM = """if True:
    import asyncio, json, os, signal, sys
    from aiohttp import web
    async def show(request):
        return web.json_response(dict(os.environ))
    async def who(request):
        import boto3
        def ask():
            session = boto3.Session()
            secret = session.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ID"])["SecretString"]
            return {"arn": session.client("sts").get_caller_identity()["Arn"], "secret": secret}
        return web.json_response(await asyncio.to_thread(ask))
    async def crash(request):
        os._exit(7)
    async def main():
        app = web.Application()
        app.router.add_get("/", show)
        app.router.add_get("/who", who)
        app.router.add_get("/crash", crash)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, os.environ["GATEWAY_HOST"], int(os.environ["GATEWAY_PORT"])).start()
        host, port = runner.addresses[0]
        stop = asyncio.Event()
        if os.environ["STUBBORN"] == "yes":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        print("not json \\u00e9", flush=True)
        print(json.dumps({"event": "listening", "host": host, "port": port}))
        await stop.wait()
        print("drained")
    asyncio.run(main())
"""
COMMAND = (sys.executable, "-c", PROGRAM)
CRASH = (sys.executable, "-c", "print('the reason'); raise SystemExit(3)")
Clients = Callable[[str], Any]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    made: dict[str, Any] = {}

    def client(name: str) -> Any:
        if name not in made:
            made[name] = session.client(name, endpoint_url=f"http://{host}:{port}")
        return made[name]

    yield client
    for each in made.values():
        each.close()
    server.stop()


@pytest.fixture(scope="module")
def deployed(clients: Clients) -> Service:
    role = clients("iam").create_role(RoleName="task", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    plain = clients("secretsmanager").create_secret(Name="plain", SecretString="the plain secret")["ARN"]
    pair = clients("secretsmanager").create_secret(Name="pair", SecretString=json.dumps({"user": "u", "token": "t"}))["ARN"]
    clients("ecs").create_cluster(clusterName="stage")
    container = {
        "name": "app",
        "image": "app@sha256:0",
        "memory": 512,
        "stopTimeout": 5,
        "environment": [
            {"name": "STUBBORN", "value": "no"},
            {"name": "CACHE", "value": "rediss://deployed"},
            {"name": "SECRET_ID", "value": "plain"},
        ],
        "secrets": [{"name": "PLAIN", "valueFrom": plain}, {"name": "TOKEN", "valueFrom": f"{pair}:token::"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/stage/app"}},
    }
    clients("ecs").register_task_definition(
        family="app", taskRoleArn=role, containerDefinitions=[{"name": "sidecar", "image": "sidecar", "memory": 64}, container]
    )
    clients("ecs").create_service(
        cluster="stage",
        serviceName="app",
        taskDefinition="app",
        desiredCount=1,
        loadBalancers=[{"containerName": "app", "containerPort": 80}],
    )
    clients("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/stage/app", ScalableDimension="ecs:service:DesiredCount", MinCapacity=2, MaxCapacity=4
    )
    return read_service(clients, "stage", "app")


async def get(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.json()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  a state of the scheduler, which has no event
            await asyncio.sleep(0.01)


def balancer() -> Balancer:
    return Balancer(BalancerSettings(60, "least_outstanding_requests", "/", 0.1, 5, 2, 2, "200", 5, True))


def test_what_was_deployed_is_read_from_aws(deployed: Service) -> None:
    assert deployed.count == 2, "the scaling's minimum stands above the desired count"
    assert deployed.environment == {"STUBBORN": "no", "CACHE": "rediss://deployed", "SECRET_ID": "plain"}
    assert deployed.secrets.keys() == {"PLAIN", "TOKEN"}
    assert deployed.role.endswith(":role/task")
    assert (deployed.log_group, deployed.stop_timeout_s) == ("/stage/app", 5)


def test_an_unknown_service_is_named(clients: Clients, deployed: Service) -> None:
    with pytest.raises(SandboxError, match=f"no service other than {deployed.name}"):
        read_service(clients, "stage", f"other than {deployed.name}")


async def test_tasks_get_the_deployed_environment_and_nothing_of_ours(
    clients: Clients, deployed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "must not be seen")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "must not be seen")
    lines: list[str] = []
    front = balancer()
    await front.start()
    scheduler = Scheduler(
        deployed,
        clients,
        balancer=front,
        command=COMMAND,
        substitutions={"CACHE": "redis://here"},
        on_line=lambda _, line: lines.append(line),
    )
    try:
        await scheduler.start()
        await front.wait_healthy(2, 5)
        assert [task.state for task in scheduler.tasks] == ["running", "running"]
        seen = await get(front.url)
        assert seen["CACHE"] == "redis://here"
        assert (seen["PLAIN"], seen["TOKEN"]) == ("the plain secret", "t")
        assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == REGION
        given = {"AWS_ENDPOINT_URL", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "LC_CTYPE"}
        network = {
            "GATEWAY_HOST",
            "GATEWAY_PORT",
            "GATEWAY_METRICS_PORT",
            "PATH",
            "HOME",
            "TMPDIR",
            "PYTHONUNBUFFERED",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
        }
        assert seen.keys() - given - network == {*deployed.environment, *deployed.secrets}
    finally:
        await scheduler.stop()
        await front.stop()
    assert scheduler.tasks == []
    assert lines.count("drained") == 2, "SIGTERM let them finish"


async def test_boto3_in_a_task_acts_as_the_task_role(clients: Clients, deployed: Service) -> None:
    scheduler = Scheduler(deployed, clients, command=COMMAND)
    try:
        await scheduler.start(1)
        task = scheduler.tasks[0]
        answer = await get(f"{task.url}/who")
        assert answer["arn"].endswith(f":assumed-role/task/{task.id}")
        assert answer["secret"] == "the plain secret"
        credentials = (await get(task.url))["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        async with aiohttp.ClientSession() as session, session.get(credentials, headers={"Authorization": "guessed"}) as refused:
            assert refused.status == 403
    finally:
        await scheduler.stop()


async def test_a_task_that_ends_is_replaced(clients: Clients, deployed: Service) -> None:
    front = balancer()
    await front.start()
    scheduler = Scheduler(deployed, clients, balancer=front, command=COMMAND, backoff_s=0.01)
    try:
        await scheduler.start(1)
        await front.wait_healthy(1, 5)
        first = scheduler.tasks[0]
        with pytest.raises(aiohttp.ClientError):
            await get(f"{first.url}/crash")
        await until(lambda: [task.state for task in scheduler.tasks if task is not first] == ["running"])
        assert (first.state, first.exit_code) == ("stopped", 7)
        await front.wait_healthy(1, 5)
        second = scheduler.tasks[0]
        assert [target.url for target in front.targets] == [second.url]
        await scheduler.stop_task(second.id)
        assert second.exit_code == 0
        await until(lambda: [task.state for task in scheduler.tasks if task is not second] == ["running"])
    finally:
        await scheduler.stop()
        await front.stop()


async def test_a_task_that_never_comes_up_ends_the_start_with_its_last_lines(clients: Clients, deployed: Service) -> None:
    scheduler = Scheduler(deployed, clients, command=CRASH, backoff_s=0.01)
    with pytest.raises(SandboxError, match=r"failed 3 times in a row, last with exit code 3\. It said:\nthe reason"):
        await scheduler.start(1)
    assert scheduler.tasks == []


async def test_a_task_that_does_not_listen_is_given_up(clients: Clients, deployed: Service) -> None:
    silent = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")
    scheduler = Scheduler(deployed, clients, command=silent, backoff_s=0.01, start_timeout_s=0.1)
    with pytest.raises(SandboxError, match=r"did not listen within 0\.1 s"):
        await scheduler.start(1)


async def test_tasks_that_fail_later_end_the_wait(clients: Clients, deployed: Service) -> None:
    """Healthy once, then every replacement fails: `wait` says so."""
    scheduler = Scheduler(deployed, clients, command=COMMAND, backoff_s=0.01)
    await scheduler.start(1)
    scheduler._command = CRASH
    os.kill(scheduler.tasks[0].pid, signal.SIGKILL)
    with pytest.raises(SandboxError, match="the reason"):
        await scheduler.wait()


async def test_a_task_that_ignores_sigterm_is_killed(clients: Clients, deployed: Service) -> None:
    scheduler = Scheduler(deployed, clients, command=COMMAND, substitutions={"STUBBORN": "yes"})
    await scheduler.start(1)
    task = scheduler.tasks[0]
    await scheduler.stop(at_most_s=0.1)
    assert task.exit_code == -signal.SIGKILL


async def test_a_substitution_must_have_something_to_replace(clients: Clients, deployed: Service) -> None:
    scheduler = Scheduler(deployed, clients, command=COMMAND, substitutions={"NEW": "x"})
    with pytest.raises(SandboxError, match="no NEW"):
        await scheduler.start()


async def test_an_unreadable_secret_names_the_variable(clients: Clients, deployed: Service) -> None:
    lost = Service(**{**deployed.__dict__, "secrets": {"LOST": "arn:aws:secretsmanager:us-east-1:123456789012:secret:lost-123456"}})
    with pytest.raises(SandboxError, match="variable LOST"):
        await Scheduler(lost, clients, command=COMMAND).start(1)


async def test_lines_reach_the_callback_with_their_task(clients: Clients, deployed: Service) -> None:
    seen: list[tuple[Task, str]] = []
    scheduler = Scheduler(deployed, clients, command=COMMAND, on_line=lambda task, line: seen.append((task, line)))
    await scheduler.start(1)
    await scheduler.stop()
    assert seen[0][1] == "not json é"
    assert {task.id for task, _ in seen} == {seen[0][0].id}
    assert list(seen[0][0].lines)[-1] == "drained"
