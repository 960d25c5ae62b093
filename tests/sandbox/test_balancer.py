import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import boto3
import pytest
from aiohttp import web
from moto import mock_aws

from sandbox.balancer import Balancer
from sandbox.balancer_settings import BalancerSettings, read_settings
from sandbox.errors import SandboxError

SETTINGS = BalancerSettings(
    idle_timeout_s=5,
    algorithm="least_outstanding_requests",
    health_path="/readyz",
    health_interval_s=0.05,
    health_timeout_s=1,
    healthy_threshold=2,
    unhealthy_threshold=2,
    success_codes="200",
    deregistration_delay_s=5,
    drop_invalid_headers=True,
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A target: answers `handler`, and is healthy as long as `healthy` says so."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.healthy = True
        self.checks = 0
        self.url = ""
        app = web.Application()
        app.router.add_get("/readyz", self._readyz)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def start(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await self.handler(request)

    async def _readyz(self, _: web.Request) -> web.Response:
        self.checks += 1
        return web.Response(status=200 if self.healthy else 503)


class Stage:
    """A balancer and its targets, and a caller."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession(auto_decompress=False)
        self.balancer = Balancer(SETTINGS)
        self.servers: list[Server] = []

    async def start(self, *handlers: Handler, **settings: Any) -> str:
        self.balancer.settings = replace(SETTINGS, **settings)
        await self.balancer.start()
        for handler in handlers:
            await self.add(handler)
        await self.balancer.wait_healthy(len(handlers), 5)
        return self.balancer.url

    async def add(self, handler: Handler, *, healthy: bool = True) -> Server:
        server = Server(handler)
        server.healthy = healthy
        await server.start()
        self.servers.append(server)
        await self.balancer.register(server.url)
        return server

    async def get(self, path: str = "/") -> tuple[int, str]:
        async with self.http.get(self.balancer.url + path) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.http.close()
    await stage.balancer.stop()
    for server in stage.servers:
        await server.runner.cleanup()


def says(text: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=text)

    return handler


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  a state of the balancer, which has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("algorithm", ["round_robin", "least_outstanding_requests"])
async def test_idle_targets_share_the_requests_evenly(stage: Stage, algorithm: str) -> None:
    await stage.start(says("a"), says("b"), says("c"), algorithm=algorithm)
    seen = Counter([(await stage.get())[1] for _ in range(12)])
    assert seen == {"a": 4, "b": 4, "c": 4}


async def test_least_outstanding_requests_avoids_the_busy_target(stage: Stage) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def busy(request: web.Request) -> web.Response:
        if request.path == "/slow":
            arrived.set()
            await go_on.wait()
        return web.Response(text="busy")

    await stage.start(busy)
    slow = asyncio.create_task(stage.get("/slow"))
    await arrived.wait()
    await stage.add(says("free"))
    await stage.balancer.wait_healthy(2, 5)
    assert {(await stage.get())[1] for _ in range(6)} == {"free"}
    go_on.set()
    assert (await slow)[1] == "busy"


async def test_an_unhealthy_target_is_taken_out_and_comes_back(stage: Stage) -> None:
    await stage.start(says("a"), says("b"))
    bad, target = stage.servers[0], stage.balancer.targets[0]
    bad.healthy = False
    await until(lambda: target.state == "unhealthy")
    assert target.reason == "Target.ResponseCodeMismatch: 503"
    assert {(await stage.get())[1] for _ in range(4)} == {"b"}
    bad.healthy, checks = True, bad.checks
    await until(lambda: target.state == "healthy")
    assert bad.checks - checks >= 2, "the healthy threshold"
    assert {(await stage.get())[1] for _ in range(4)} == {"a", "b"}


async def test_when_all_are_unhealthy_all_are_tried(stage: Stage) -> None:
    await stage.start()
    await stage.add(says("a"), healthy=False)
    await until(lambda: stage.balancer.targets[0].state == "unhealthy")
    assert await stage.get() == (200, "a")


async def test_503_without_a_target_that_is_ready(stage: Stage) -> None:
    await stage.start(health_interval_s=60)
    assert (await stage.get())[0] == 503
    await stage.add(says("a"), healthy=False)
    assert (await stage.get())[0] == 503, "a fresh target gets nothing before its first good check"
    with pytest.raises(SandboxError, match=r"is initial \(Target.ResponseCodeMismatch: 503\)"):
        await stage.balancer.wait_healthy(1, 0.1)


async def test_502_when_the_target_breaks(stage: Stage) -> None:
    async def broken(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    await stage.start(broken, health_interval_s=60)
    assert (await stage.get())[0] == 502
    await stage.servers[0].runner.cleanup()
    assert (await stage.get())[0] == 502, "nobody listens"


async def test_504_when_no_answer_begins(stage: Stage) -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    await stage.start(silent, idle_timeout_s=0.1)
    assert (await stage.get())[0] == 504


async def stream(request: web.Request, go_on: asyncio.Event) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: 1\n\n")
    await go_on.wait()
    await response.write(b"data: 2\n\n")
    return response


async def test_a_stream_passes_chunk_by_chunk(stage: Stage) -> None:
    go_on = asyncio.Event()
    url = await stage.start(lambda request: stream(request, go_on))
    async with stage.http.get(url) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        go_on.set()  # the second is only sent once the first has arrived
        assert await answer.content.readany() == b"data: 2\n\n"


async def test_a_silent_stream_is_cut(stage: Stage) -> None:
    url = await stage.start(lambda request: stream(request, asyncio.Event()), idle_timeout_s=0.1)
    async with stage.http.get(url) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.readany()


async def test_a_stream_that_is_never_silent_for_long_outlives_the_idle_timeout(stage: Stage) -> None:
    async def steady(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10):
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response

    await stage.start(steady, idle_timeout_s=0.25)
    assert await stage.get() == (200, "." * 10)


async def test_a_request_body_passes_unbuffered(stage: Stage) -> None:
    arrived = asyncio.Event()

    async def echo(request: web.Request) -> web.Response:
        first = await request.content.readany()
        arrived.set()
        return web.Response(body=first + await request.content.read())

    async def upload() -> AsyncIterator[bytes]:
        yield b"one "
        await arrived.wait()
        yield b"two"

    url = await stage.start(echo)
    async with stage.http.post(url, data=upload()) as answer:
        assert await answer.read() == b"one two"


async def test_a_caller_that_hangs_up_ends_the_request_at_the_target(stage: Stage) -> None:
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        try:
            return await stream(request, asyncio.Event())
        finally:
            ended.set()

    url = await stage.start(endless)
    async with stage.http.get(url) as answer:
        await answer.content.readany()
        answer.close()
        async with asyncio.timeout(5):
            await ended.wait()
    await until(lambda: not stage.balancer.targets[0].running)


async def test_a_deregistered_target_finishes_what_runs(stage: Stage) -> None:
    go_on = asyncio.Event()
    url = await stage.start(lambda request: stream(request, go_on))
    async with stage.http.get(url) as answer:
        await answer.content.readany()
        leaving = asyncio.create_task(stage.balancer.deregister(stage.servers[0].url))
        await until(lambda: stage.balancer.targets[0].state == "draining")
        await stage.add(says("new"))
        await stage.balancer.wait_healthy(1, 5)
        assert {(await stage.get())[1] for _ in range(4)} == {"new"}
        go_on.set()
        assert await answer.content.readany() == b"data: 2\n\n"
    await leaving
    assert [target.url for target in stage.balancer.targets] == [stage.servers[1].url]


async def test_what_still_runs_after_the_deregistration_delay_is_cut(stage: Stage) -> None:
    url = await stage.start(lambda request: stream(request, asyncio.Event()), deregistration_delay_s=0.1)
    async with stage.http.get(url) as answer:
        await answer.content.readany()
        await stage.balancer.deregister(stage.servers[0].url)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.readany()


async def test_headers_and_bytes_pass_as_they_are(stage: Stage) -> None:
    packed = gzip.compress(b"hello")
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        response = web.Response(body=packed, status=201, reason="Made", headers={"Content-Encoding": "gzip"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    url = await stage.start(handler)
    headers = {"Host": "gateway.example", "X-Forwarded-For": "192.0.2.1", "bad_name": "x", "Keep-Alive": "5", "Authorization": "Bearer k"}
    async with stage.http.post(f"{url}/a%2Fb?c=%20d", data=b"body", headers=headers) as answer:
        assert (answer.status, answer.reason, await answer.read()) == (201, "Made", packed)
        assert [cookie.partition(";")[0] for cookie in answer.headers.getall("Set-Cookie")] == ["a=1", "b=2"]
        assert answer.headers["Content-Length"] == str(len(packed))
    (request,) = seen
    assert request.raw_path == "/a%2Fb?c=%20d"
    assert (request.headers["Host"], request.headers["Authorization"]) == ("gateway.example", "Bearer k")
    assert request.headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
    assert (request.headers["X-Forwarded-Proto"], request.headers["X-Forwarded-Port"]) == ("http", url.rpartition(":")[2])
    assert request.headers["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert request.headers["Content-Length"] == "4"
    assert not {"bad_name", "Keep-Alive"} & set(request.headers)


async def test_a_port_in_use_gives_one_line(stage: Stage) -> None:
    url = await stage.start()
    with pytest.raises(SandboxError, match=r"^Port \d+ is in use"):
        await Balancer(SETTINGS).start(int(url.rpartition(":")[2]))


@pytest.fixture
def elbv2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("elbv2", region_name="us-east-1")


def test_the_settings_are_read_from_what_was_deployed(elbv2: Any) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    arn = elbv2.create_load_balancer(Name="front", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]
    own = {"idle_timeout.timeout_seconds": "70", "routing.http.drop_invalid_header_fields.enabled": "true"}
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": k, "Value": v} for k, v in own.items()])
    health = {"HealthCheckPath": "/readyz", "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 4}
    thresholds = {"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 3, "Matcher": {"HttpCode": "200-299"}}
    created = elbv2.create_target_group(Name="app", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", **health, **thresholds)
    group = created["TargetGroups"][0]["TargetGroupArn"]
    attributes = {"deregistration_delay.timeout_seconds": "95", "load_balancing.algorithm.type": "least_outstanding_requests"}
    elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()])
    with pytest.raises(SandboxError, match="No listener"):
        read_settings(elbv2, arn)
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "443", "Protocol": "HTTPS"}}
    elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[redirect])
    elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    assert read_settings(elbv2, arn) == BalancerSettings(70, "least_outstanding_requests", "/readyz", 10, 4, 2, 3, "200-299", 95, True)
    with pytest.raises(SandboxError, match="no load balancer"):
        read_settings(elbv2, arn.replace("front", "other"))
