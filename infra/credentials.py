"""The stage's secrets: where the OpenAI key and the callers' keys are kept. Their values are never in the program or its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi import ComponentResource, InvokeOutputOptions, Output, Resource, ResourceOptions, RunError
from pulumi_aws import secretsmanager

from infra.config.stage import Stage
from infra.keys import EncryptionKey

CURRENT = "AWSCURRENT"
NOBODY = "{}"


class Credentials(ComponentResource):
    """Two secrets under the stage's key.

    The one for the OpenAI key is made empty; its owner puts the key in. The one for the callers begins as an empty list that the
    operator's tools fill. Names end in random characters, because the name of a deleted secret stays taken while it can be restored.
    """

    openai_arn: Output[str]
    clients_arn: Output[str]

    def __init__(self, *, stage: Stage, key: EncryptionKey, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:credentials:Credentials", "credentials", None, opts)
        self._stage = stage
        openai, clients = (
            secretsmanager.Secret(
                secret,
                name_prefix=f"{stage.label}/{secret}-",
                description=description,
                kms_key_id=key.arn,
                recovery_window_in_days=stage.secret_recovery_days,
                opts=ResourceOptions(parent=self, protect=stage.protect),
            )
            for secret, description in (
                ("openai-key", f"{stage.label}: the OpenAI key, as plain text"),
                ("clients", f"{stage.label}: the callers' keys, hashed, as JSON"),
            )
        )
        # AWS makes a secret's first version current, whatever its label; a later one with this label only is never current. So this
        # version starts an empty list, and cannot replace a filled one even if it is made again.
        secretsmanager.SecretVersion(
            "no-clients",
            secret_id=clients.id,
            secret_string=NOBODY,
            version_stages=["initial"],
            opts=ResourceOptions(parent=self, ignore_changes=["secretString", "versionStages"]),
        )
        self.openai_arn, self.clients_arn = openai.arn, clients.arn
        self.register_outputs({"openai": self.openai_arn, "clients": self.clients_arn})

    def filled(self, after: Sequence[Resource]) -> Output[str]:
        """The OpenAI key's secret, once it holds a key; tasks without one would fail their health checks for minutes.

        Where it holds none, that is said `after` all that can be made without a key, so that a first deployment does all of that.
        Where it holds one, it waits for nothing: else whatever is new in the stage would leave the task unknown in a preview. Only the
        labels of the secret's versions are read, never a value.
        """
        arn: Output[str] = self._versions().apply(lambda found: self.openai_arn if _holds(found.versions) else self._late(after))
        return arn

    def _late(self, after: Sequence[Resource]) -> Output[str]:
        stage = self._stage
        made: Output[str] = Output.all(self.openai_arn, self._versions(list(after))).apply(
            lambda known: checked(known[0], known[1].versions, stage=stage.name, region=stage.region)
        )
        return made

    def _versions(self, after: list[Resource] | None = None) -> Output[Any]:
        opts = InvokeOutputOptions(parent=self, depends_on=after)
        found: Output[Any] = secretsmanager.get_secret_versions_output(secret_id=self.openai_arn, opts=opts)
        return found


def _holds(versions: Sequence[Any]) -> bool:
    return any(CURRENT in version.version_stages for version in versions)


def checked(arn: str, versions: Sequence[Any], *, stage: str, region: str) -> str:
    """The secret, when one of its versions is current.

    Raises:
        RunError: none is; the message says how to put the key in.
    """
    if _holds(versions):
        return arn
    raise RunError(
        "The OpenAI key is missing, so the service was not deployed yet; all the rest was, and is kept.\n"
        "Put the key into the stage's secret and run `pulumi up` again. Either of these does it:\n\n"
        f"  make key STAGE={stage}\n"
        f"  aws secretsmanager put-secret-value --region {region} --secret-id {arn} --secret-string file://key.txt\n"
    )
