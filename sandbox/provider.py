"""The AWS provider of the local run, for the real engine: `python -m sandbox.provider` speaks Pulumi's provider protocol.

The engine starts it as `pulumi-resource-aws` (`sandbox.engine` puts a launcher of that name on the PATH of its own run) and reads the
port it prints. All work is done by `sandbox.resources`. Source: pulumi/provider.proto in Pulumi's repository.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from sandbox.aws import whole
from sandbox.errors import SandboxError
from sandbox.resources import Resources, changed


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The methods that the engine calls, in the order of a deployment."""

    def __init__(self, resources: Resources, version: str) -> None:
        self._resources, self._version = resources, version

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        names = changed(_plain(request.old_inputs), _plain(request.news))
        changes = provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=names, replaces=[name for name in names if name == "region"])

    def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self._resources.configure("pulumi:providers:aws", _plain(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        with Refusing(context):
            return provider_pb2.InvokeResponse(**{"return": _struct(self._resources.invoke(request.tok, _plain(request.args)))})

    def Check(self, request: Any, _context: Any) -> Any:  # noqa: N802
        kind, name = _named(request.urn)
        checked = self._resources.checked(kind, name, _plain(request.news), _plain(request.olds))
        return provider_pb2.CheckResponse(inputs=_struct(checked))

    def Diff(self, request: Any, _context: Any) -> Any:  # noqa: N802
        old, new = _plain(request.old_inputs), _plain(request.news)
        ignored = set(request.ignoreChanges)
        diffs = [key for key in changed(old, new) if key not in ignored]
        replaces = [key for key in self._resources.replaces(_named(request.urn)[0], old, new) if key in diffs]
        changes = provider_pb2.DiffResponse.DIFF_SOME if diffs else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=diffs, replaces=replaces, deleteBeforeReplace=False)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=_struct(inputs))
        with Refusing(context):
            identifier, outputs = self._resources.create(*_named(request.urn), inputs)
            return provider_pb2.CreateResponse(id=identifier, properties=_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        with Refusing(context):
            state = self._resources.read(*_named(request.urn), request.id, _plain(request.properties))
            if state is None:
                return provider_pb2.ReadResponse(id="")
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, name = _named(request.urn)
        old, new = _plain(request.olds), _plain(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_struct(old | new))
        with Refusing(context):
            return provider_pb2.UpdateResponse(properties=_struct(self._resources.update(kind, name, request.id, old, new)))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        with Refusing(context):
            self._resources.delete(*_named(request.urn), request.id, _plain(request.properties))
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


class Refusing:
    """Turns an error of the local run into the engine's: the message, without a traceback."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: object, _traceback: object) -> None:
        if isinstance(error, SandboxError):
            self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


def _named(urn: str) -> tuple[str, str]:
    """The type and the name in urn:pulumi:stack::project::parent$type::name."""
    _, _, chain, name = urn.split("::", 3)
    return chain.rpartition("$")[2], name


def _plain(struct: Any) -> dict[str, Any]:
    return dict(whole(json_format.MessageToDict(struct)))


def _struct(values: dict[str, Any]) -> Any:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def main() -> None:
    """Serve until the engine ends the process."""
    resources = Resources(os.environ["AWS_ENDPOINT_URL"])
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=[("grpc.max_receive_message_length", 1 << 28)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(resources, os.environ["SANDBOX_PROVIDER_VERSION"]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
