"""`make smoke`: up, driven with OpenAI's own Python client, down; a verdict a line."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import openai
from rich.console import Console
from rich.markup import escape

from sandbox.local import Local

Check = Callable[[openai.AsyncOpenAI, str], Awaitable[str]]
"""Drives one thing with a client and a model; what was seen, or an AssertionError that says what is wrong."""

SOON = 10
"""Requests after which an answer is in the cache for every task."""


def expect(held: object, message: str) -> None:
    """Refuse what does not hold."""
    if not held:
        raise AssertionError(message)


async def answers(client: openai.AsyncOpenAI, model: str) -> str:
    """A chat answer, with its usage."""
    answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": f"Hello {uuid.uuid4()}"}])
    expect(answer.choices[0].message.content, "the answer is empty")
    expect(answer.usage and answer.usage.total_tokens, "the answer has no usage")
    return f"{answer.usage.total_tokens if answer.usage else 0} tokens of {answer.model}"


async def streams(client: openai.AsyncOpenAI, model: str) -> str:
    """A streamed chat answer, in several pieces, with its usage at the end."""
    pieces, usage = 0, None
    stream = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": f"Hi {uuid.uuid4()}"}], stream=True, stream_options={"include_usage": True}
    )
    async for chunk in stream:
        pieces += bool(chunk.choices and chunk.choices[0].delta.content)
        usage = chunk.usage or usage
    expect(pieces > 1, f"{pieces} pieces came: the stream is buffered or empty")
    expect(usage, "the stream has no usage")
    return f"{pieces} pieces"


async def caches(client: openai.AsyncOpenAI, model: str) -> str:
    """The same request again comes from the cache, with the same answer."""
    content = f"Say it again {uuid.uuid4()}"

    async def ask() -> tuple[str | None, str]:
        raw = await client.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": content}])
        return raw.headers.get("x-cache"), raw.parse().id

    state, first = await ask()
    expect(state == "miss", f"x-cache was {state} for the first request, not miss")
    given = {first}
    for _ in range(SOON):  # an answer is there for the other tasks a moment after it was given
        state, repeated = await ask()
        if state == "hit":
            expect(repeated in given, "the repeated answer is another one")
            return "miss, then hit"
        given.add(repeated)
    raise AssertionError(f"x-cache was {state} for each of {SOON} repeated requests, not hit")
    return "miss, then hit"


async def refuses(client: openai.AsyncOpenAI, model: str) -> str:
    """A wrong key is refused as OpenAI refuses it."""
    stranger = client.with_options(api_key="gwk-wrong")
    try:
        await stranger.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])
    except openai.AuthenticationError as error:
        expect(error.code == "invalid_api_key", f"the error's code is {error.code}, not invalid_api_key")
        return "401 invalid_api_key"
    raise AssertionError("the request was answered")


CHECKS: dict[str, Check] = {"chat": answers, "stream": streams, "cache": caches, "wrong key": refuses}


async def smoke(console: Console, *, tasks: int | None, in_process: bool) -> int:
    """Run the checks against a stack of its own; 0 when all of them hold."""
    failed = 0
    async with Local(console, tasks=tasks, in_process=in_process) as local:
        client = openai.AsyncOpenAI(base_url=f"{local.balancer.url}/v1", api_key=local.client_key, max_retries=0, timeout=30)
        model = local.scheduler.service.environment["GATEWAY_MODELS"].split(",")[0]
        async with client:
            for name, check in CHECKS.items():
                try:
                    seen, mark = await check(client, model), "[green]✓[/]"
                except (TimeoutError, AssertionError, openai.OpenAIError) as error:
                    seen, mark, failed = str(error), "[red]✗[/]", failed + 1
                console.print(f"{mark} {name:<9} {escape(seen)}", highlight=False, soft_wrap=True)
    verdict = "[red]smoke test failed" if failed else "[green]smoke test passed"
    console.print(f"{verdict}[/]: {len(CHECKS) - failed} of {len(CHECKS)} checks held", highlight=False)
    return 1 if failed else 0
