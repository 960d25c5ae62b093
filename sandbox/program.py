"""Runs the Pulumi program in this process, without the engine: `python -m sandbox.program STAGE [key=value …]`.

The SDK's own monitor takes the registrations and hands each resource to `sandbox.resources`, which creates it in the emulated AWS
(AWS_ENDPOINT_URL), or only records it where none is named. Each event is a line of JSON on standard output:
{"resource": {…}} as they come, then {"outputs": {…}} or {"error": "…"}. One run a process: the SDK keeps its state globally.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from typing import Any

from google.protobuf.json_format import MessageToDict
from pulumi import Output, RunError, runtime
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.stack import run_pulumi_func

from sandbox.aws import whole
from sandbox.errors import SandboxError
from sandbox.resources import Resources
from sandbox.stack import ROOT, configuration, project

SECRET = "[secret]"  # noqa: S105  what stands for a secret in what we print


class Monitor(mocks.MockMonitor, mocks.Mocks):
    """The SDK's monitor, which also sees a registration's parent and options."""

    def __init__(self, resources: Resources) -> None:
        mocks.MockMonitor.__init__(self, self)
        self._aws = resources
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the name in Pulumi's protocol
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            record = {
                "type": request.type,
                "name": request.name,
                "id": answer.id,
                "how": self._aws.how(request.type) if request.custom else "component",
                "parent": _named(request.parent),
                "protect": request.protect,
                "ignoreChanges": list(request.ignoreChanges),
                "replacementTrigger": MessageToDict(request.replacement_trigger) if request.HasField("replacement_trigger") else None,
                "dependsOn": sorted({_named(urn) for urn in request.dependencies}),
                "propertyDependencies": {key: sorted(map(_named, held.urns)) for key, held in request.propertyDependencies.items()},
                "provider": _named(request.provider.rpartition("::")[0]),
                "inputs": shown(whole(rpc.deserialize_properties(request.object))),
            }
            self.emit(resource=record)
        return answer

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return args.name, args.inputs
        inputs = whole(unwrapped(args.inputs))
        if args.typ.startswith("pulumi:providers:"):
            self._aws.configure(args.typ, inputs)
            return args.name, inputs
        identifier, outputs = self._aws.create(args.typ, args.name, self._aws.checked(args.typ, args.name, inputs))
        return identifier, outputs | args.inputs  # what was secret stays so

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return self._aws.invoke(args.token, whole(unwrapped(args.args))), []

    def emit(self, **event: object) -> None:
        with self._lock:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()


def _named(urn: str) -> str:
    """A resource as type::name, from its URN; nothing for the stack itself."""
    chain, _, name = urn.split("::", 2)[-1].partition("::")
    kind = chain.rpartition("$")[2]
    return "" if kind in ("", "pulumi:pulumi:Stack") else f"{kind}::{name}"


def unwrapped(value: Any) -> Any:
    """The value without the marks of secrets, however deep they stand."""
    if rpc.is_rpc_secret(value):
        return unwrapped(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    return [unwrapped(item) for item in value] if isinstance(value, list) else value


def shown(value: Any) -> Any:
    """The value as it may be printed: secrets and what is no JSON are replaced."""
    if rpc.is_rpc_secret(value):
        return SECRET
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else f"[{type(value).__name__}]"


async def _outputs() -> dict[str, Any]:
    root: Any = settings.get_root_resource()
    values = {}
    for key, value in root.outputs.items():
        output = Output.from_input(value)
        values[key] = SECRET if await output.is_secret() else shown(await output.future())
    return values


async def _run(stage: str, overrides: dict[str, str]) -> None:
    name = project()["name"]
    monitor = Monitor(Resources(os.environ.get("AWS_ENDPOINT_URL")))
    mocks.set_mocks(monitor, project=name, stack=stage, preview=False, monitor=monitor)
    runtime.set_all_config(configuration(stage, overrides), [])
    program = ROOT / project().get("main", ".")
    sys.path.insert(0, str(program))

    def execute() -> None:
        runpy.run_path(str(program / "__main__.py"), run_name="__main__")

    await run_pulumi_func(execute)
    monitor.emit(outputs=await _outputs())


def _failed(message: str) -> int:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what waits for the failed resource is left waiting
    sys.stdout.write(json.dumps({"error": message}) + "\n")
    sys.stdout.flush()
    return 1


def main(arguments: list[str]) -> int:
    """Run the program for a stage; 0, or 1 after an {"error"} line."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # before set_mocks, or the SDK waits for ever
    try:
        loop.run_until_complete(_run(arguments[0], dict(item.split("=", 1) for item in arguments[1:])))
    except (RunError, SandboxError) as error:  # problems that the program or the emulated AWS put in words
        return _failed(str(error))
    except Exception as error:  # noqa: BLE001  a mistake in the program: where it is, without the SDK's own frames
        ours = (str(ROOT / "infra"), str(ROOT / "app"), str(ROOT / "sandbox"))
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(ours)]
        places = "".join(traceback.format_list(frames))
        return _failed(f"the Pulumi program failed:\n{places}{type(error).__name__}: {error}")
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    gc.disable()  # it would take as long as the program, and this process ends soon
    sys.exit(main(sys.argv[1:]))
