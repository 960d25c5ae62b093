"""The life of a resource in the local run: created for real where `sandbox.rows` has a row for its type, else recorded.

The same code serves both ways of running the program: `sandbox.program` in process, and `sandbox.provider` under the engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

from sandbox.aws import ACCOUNT, Aws, find
from sandbox.errors import SandboxError
from sandbox.fixed import FIXED
from sandbox.networks import SOURCES, Networks
from sandbox.recorded import recorded_outputs
from sandbox.row import Inputs, Row
from sandbox.rows import ROWS

OPENAI_KEY = "SANDBOX_OPENAI_KEY"
"""The variable whose value is stored in the stage's OpenAI secret as soon as that exists, as its operator would."""
GONE = ("NotFound", "NoSuch", "Nonexistent", "InvalidTask", "does not exist", "Unable to describe")
"""How services say that something is not there, each in its own way."""


class Resources:
    """Create, read, update and delete resources by their Pulumi type and inputs.

    Every method raises SandboxError with the resource's type and name and AWS's own words.
    """

    def __init__(self, endpoint: str | None) -> None:
        """Use the AWS at `endpoint`; with None nothing is created and everything recorded."""
        self._endpoint = endpoint
        self._networks = Networks()
        self.configure("pulumi:providers:aws", {})

    def configure(self, kind: str, inputs: Inputs) -> None:
        """Take region and default tags from the inputs of the program's own provider of AWS."""
        if kind == "pulumi:providers:aws":
            self.region = str(inputs.get("region", "us-east-1"))
            self.tags = json.loads(inputs.get("defaultTags", "{}")).get("tags", {})  # a provider's nested arguments are JSON text
            self._aws = Aws(self._endpoint, self.region) if self._endpoint else None

    def client(self, service: str) -> Any:
        """The boto3 client of a service of the emulated AWS.

        Raises:
            SandboxError: nothing is created, so there is none.
        """
        if self._aws is None:
            raise SandboxError("no AWS is emulated: everything is only recorded")
        return self._aws.client(service)

    def how(self, kind: str) -> str:
        """`created` for what exists in the emulated AWS, `recorded` for the rest, `provider` for what is no resource of AWS."""
        if kind.startswith("pulumi:providers:"):
            return "provider"
        return "created" if self._row(kind) else "recorded"

    def checked(self, kind: str, name: str, inputs: Inputs, old: Inputs | None = None) -> Inputs:
        """The inputs with what a provider adds: a name where AWS wants one, and all tags."""
        row, added = ROWS.get(kind), {}
        if row and row.named and "name" not in inputs:
            seed = os.urandom(8) if self._aws else f"{kind}{name}".encode()  # what is only planned is the same each time
            suffix = hashlib.sha256(seed).hexdigest()[:7]
            prefix = inputs.get("namePrefix", f"{name}-")
            added["name"] = (old or {}).get("name") or f"{prefix[: row.named - len(suffix)]}{suffix}"
        if row and row.tagged:
            added["tagsAll"] = self.tags | inputs.get("tags", {})
        return inputs | added

    def replaces(self, kind: str, old: Inputs, new: Inputs) -> list[str]:
        """The changed inputs that need a new resource."""
        row = ROWS.get(kind)
        if row is None:
            return [key for key in changed(old, new) if key in FIXED.get(kind, ())]
        return [key for key in changed(old, new) if key not in {*row.mutable, "tags", "tagsAll", "namePrefix"}]

    def create(self, kind: str, name: str, inputs: Inputs) -> tuple[str, Inputs]:
        """Create it; its id and outputs. What was begun is undone where a later call fails."""
        row = self._row(kind)
        if row is None or self._aws is None:
            return recorded_outputs(kind, name, inputs, self.region)
        with Named(kind, name):
            answer = self._aws.call(row.service, row.create, **row.prepare({"region": self.region} | inputs))
            identifier = str(_by_inputs(row, inputs) or find(row.id, answer))
            try:
                row.fresh(self._calls(row), identifier, inputs)
                row.after(self._calls(row), identifier, inputs)
                state = self._described(row, identifier, inputs)
                if row.tagged:
                    self._aws.tag(row.service, self._tagged(row, identifier, state), inputs.get("tagsAll", {}), set())
                self._store_openai_key(kind, name, identifier)
            except SandboxError:
                self.delete(kind, name, identifier, inputs)
                raise
            return identifier, state

    def read(self, kind: str, name: str, identifier: str, state: Inputs) -> Inputs | None:
        """Its state, or None when it is gone from AWS."""
        row = self._row(kind)
        if row is None or self._aws is None or not row.read:
            return state
        with Named(kind, name):
            return state if self._description(row, identifier, state) is not None else None

    def update(self, kind: str, name: str, identifier: str, old: Inputs, new: Inputs) -> Inputs:
        """Change it in place; its new outputs."""
        row = self._row(kind)
        if row is None or self._aws is None:
            return old | new
        with Named(kind, name):
            if row.update and [key for key in changed(old, new) if key in row.mutable]:
                self._aws.call(row.service, row.update, **row.prepare(new) | ({row.key: identifier} if row.key else {}))
            row.after(self._calls(row), identifier, new)
            state = self._described(row, identifier, new)
            if row.tagged:
                tags = new.get("tagsAll", {})
                self._aws.tag(row.service, self._tagged(row, identifier, state), tags, old.get("tagsAll", {}).keys() - tags)
            return state

    def delete(self, kind: str, name: str, identifier: str, state: Inputs) -> None:
        """Remove it; what is gone already is no error."""
        row = self._row(kind)
        if row is None or self._aws is None or not row.delete:
            return
        with Named(kind, name):
            if row.read and self._description(row, identifier, state) is None:
                return
            row.before_delete(self._calls(row), identifier, state)
            wanted = {name.lower() for name in (*self._aws.required(row.service, row.delete), *row.delete_with)}
            given = {key: value for key, value in row.prepare(state).items() if key.lower() in wanted}
            self._aws.call(row.service, row.delete, **given | ({row.key: identifier} if row.key else {}))

    def invoke(self, token: str, arguments: Inputs) -> Inputs:
        """Answer a data source.

        Raises:
            SandboxError: it is none that the local run knows.
        """
        region = arguments.get("region") or self.region
        match source := token.rpartition(":")[2]:
            case _ if source in SOURCES:
                return self._networks.answer(self._aws, source, arguments, region)
            case "getCallerIdentity":
                return {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/sandbox", "id": ACCOUNT, "userId": "sandbox"}
            case "getPartition":
                return {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws", "reverseDnsPrefix": "com.amazonaws"}
            case "getRegion":
                return {"name": region, "region": region, "id": region}
            case "getAuthorizationToken":
                return {"userName": "AWS", "password": "sandbox", "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"}
            case "getSecretVersions":
                return {"id": arguments["secretId"], "versions": self._secret_versions(arguments["secretId"])}
        raise SandboxError(f"the program asks for {token}, which the local run cannot answer: add it to sandbox/resources.py")

    def _secret_versions(self, secret: str) -> list[Inputs]:
        if self._aws is None:  # nothing is deployed: as if its operator had stored the value
            return [{"versionId": "planned", "versionStages": ["AWSCURRENT"]}]
        stages = self._aws.call("secretsmanager", "describe_secret", secretId=secret).get("VersionIdsToStages", {})
        return [{"versionId": version, "versionStages": labels} for version, labels in stages.items()]

    def _store_openai_key(self, kind: str, name: str, identifier: str) -> None:
        value = os.environ.get(OPENAI_KEY)
        if self._aws and value and kind.endswith(":Secret") and "openai" in name:
            self._aws.client("secretsmanager").put_secret_value(SecretId=identifier, SecretString=value)

    def _row(self, kind: str) -> Row | None:
        return ROWS.get(kind) if self._aws else None

    def _calls(self, row: Row) -> Any:
        return lambda operation, /, **arguments: self._aws.call(row.service, operation, **arguments)  # type: ignore[union-attr]

    def _description(self, row: Row, identifier: str, inputs: Inputs) -> Any:
        try:
            key = {"logGroupNamePrefix": identifier} if row.read == "describe_log_groups" else {row.key: identifier}
            arguments = {"cluster": inputs["cluster"]} if "cluster" in inputs else {}
            return find(row.found, self._aws.call(row.service, row.read, **arguments, **key))  # type: ignore[union-attr]
        except SandboxError as error:
            if any(word in str(error) for word in GONE):
                return None
            raise

    def _described(self, row: Row, identifier: str, inputs: Inputs) -> Inputs:
        description = self._description(row, identifier, inputs) if row.read else {}
        scalars = {key: value for key, value in (description or {}).items() if isinstance(value, str | int | float | bool)}
        plain = {re.sub("^([A-Z]+(?![a-z])|[A-Z])", lambda match: match[0].lower(), key): value for key, value in scalars.items()}
        arn = f"arn:aws:{row.service}:{self.region}:{ACCOUNT}:{row.key.removesuffix('Id').lower()}/{identifier}"
        given = {key: find(expression, description) for key, expression in row.outputs.items()}
        return {"arn": arn} | plain | inputs | {key: value for key, value in given.items() if value is not None}

    def _tagged(self, row: Row, identifier: str, state: Inputs) -> str:
        return str(state["arn"]) if row.service in ("cloudwatch", "ecs", "events", "logs") else identifier


class Named:
    """Puts a resource's type and name before AWS's words."""

    def __init__(self, kind: str, name: str) -> None:
        self._what = f"{kind} {name!r}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: object, _traceback: object) -> None:
        if isinstance(error, SandboxError) and not str(error).startswith("aws:"):
            raise SandboxError(f"{self._what}: {error}") from None


def changed(old: Inputs, new: Inputs) -> list[str]:
    """The keys whose values differ."""
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _by_inputs(row: Row, inputs: Inputs) -> str:
    return "/".join(str(inputs[key]) for key in row.id[1:].split(",")) if row.id.startswith("=") else ""
