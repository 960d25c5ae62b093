import asyncio
import contextlib
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.valkey_server import ValkeyServer


async def ask(url: str, command: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(f"{command}\r\nQUIT\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_it_answers_and_keeps_nothing() -> None:
    server = ValkeyServer()
    await server.start()
    try:
        assert (await ask(server.url, "PING")).startswith(b"+PONG")
        assert b"server_name:valkey" in await ask(server.url, "INFO server")
        assert b"$0\r\n\r\n" in await ask(server.url, "CONFIG GET save")
    finally:
        await server.stop()
    with pytest.raises(OSError, match=r"."):
        await ask(server.url, "PING")


async def test_two_run_side_by_side() -> None:
    servers = [ValkeyServer(), ValkeyServer()]
    await asyncio.gather(*(server.start() for server in servers))
    try:
        await ask(servers[0].url, "SET a 1")
        assert (await ask(servers[1].url, "GET a")).startswith(b"$-1")
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


async def test_a_server_that_fails_gives_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "valkey"
    broken.write_text("#!/bin/sh\necho first > valkey.log; echo the reason >> valkey.log; exit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(SandboxError, match=r"^Valkey does not start: the reason$"):
        await ValkeyServer(broken).start()


async def test_a_missing_server_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"^Valkey does not start: .*missing"):
        await ValkeyServer(tmp_path / "missing").start()


async def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = """if True:
        import asyncio
        from sandbox.valkey_server import ValkeyServer
        async def main():
            server = ValkeyServer()
            await server.start()
            print(server.url, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout
    url = (await parent.stdout.readline()).decode().strip()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    os.kill(parent.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""  # either way, the server is gone
    writer.close()
    await parent.communicate()  # its output ends too: the keeper holds nothing of it
