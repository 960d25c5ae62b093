"""The app's log group."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.config.stage import Stage
from infra.keys import EncryptionKey


class Logs(ComponentResource):
    """A log group for the app, encrypted with the stage's key and kept as long as configured.

    It exists before anyone writes to it: a group that a service made by itself would be unencrypted and kept for ever.
    """

    app_name: Output[str]
    app_arn: Output[str]

    def __init__(self, *, stage: Stage, key: EncryptionKey, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:logs:Logs", "logs", None, opts)
        app = cloudwatch.LogGroup(
            "app",
            name=f"/{stage.label}/app",
            retention_in_days=stage.log_retention_days,
            kms_key_id=key.arn,
            opts=ResourceOptions(parent=self, protect=stage.protect),
        )
        self.app_name, self.app_arn = app.name, app.arn
        self.register_outputs({"app": self.app_name})
