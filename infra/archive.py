"""The stage's bucket for logs of connections and packets."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import ec2, s3
from pulumi_aws.s3 import (
    BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs as Abort,
    BucketLifecycleConfigurationRuleArgs as LifecycleRule,
    BucketLifecycleConfigurationRuleExpirationArgs as Expiration,
    BucketLifecycleConfigurationRuleFilterArgs as Everything,
    BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs as ByDefault,
    BucketServerSideEncryptionConfigurationRuleArgs as EncryptionRule,
)

from infra.config.stage import Stage
from infra.network import Network
from infra.policies import Statement, acting_for, document

ACCESS, CONNECTIONS = "access", "connections"
"""Where in the bucket the balancer's logs are: each request, and each attempt at TLS, which no request may follow."""
LONGEST_PREFIX = 37
"""Of a bucket's name; AWS's random characters make it as long as it may be."""


class Archive(ComponentResource):
    """A bucket for the balancer's logs and the network's flow logs, which nobody reads before something has happened.

    Flow logs cost half of what CloudWatch takes for them. Nothing here is public, nobody reads or writes without TLS, ACLs are off, and
    what is older than the stage keeps logs is deleted. So there are no versions: nothing overwrites a log, and an old version would
    outlive what was promised. S3's own keys encrypt it, because Elastic Load Balancing writes to no bucket with a key of ours. Flow logs
    are plain text, which every tool reads, at the place that AWS has for them. A full bucket is deleted with its stage, unless the stage is
    protected.
    """

    bucket: Output[str]

    def __init__(self, *, stage: Stage, account: Output[str], network: Network, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:archive:Archive", "archive", None, opts)
        made = s3.Bucket(
            "logs",
            bucket_prefix=f"{stage.label}-"[:LONGEST_PREFIX],
            force_destroy=not stage.protect,
            tags={"Name": f"{stage.label}-logs"},
            opts=ResourceOptions(parent=self, protect=stage.protect),
        )
        policy = self._settings(stage, made.bucket, document(*_statements(stage, account, made.arn)))
        # whoever writes waits for the policy: AWS tries the right to write as logging is turned on
        self.bucket = Output.all(made.bucket, policy.id).apply(lambda ready: str(ready[0]))
        if network.own:
            ec2.FlowLog(
                "network",
                vpc_id=network.vpc_id,
                traffic_type="ALL",
                log_destination_type="s3",
                log_destination=made.arn,
                tags={"Name": stage.label},
                opts=ResourceOptions(parent=self, depends_on=[policy]),
            )
        self.register_outputs({"bucket": self.bucket})

    def _settings(self, stage: Stage, bucket: Output[str], policy: Output[str]) -> s3.BucketPolicy:
        """One after the other, because S3 refuses changes of a bucket at the same time; the policy, which is waited for, is the last."""
        closed = s3.BucketPublicAccessBlock(
            "logs",
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=ResourceOptions(parent=self),
        )
        owned = s3.BucketOwnershipControls(
            "logs",
            bucket=bucket,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=ResourceOptions(parent=self, depends_on=[closed]),
        )
        encrypted = s3.BucketServerSideEncryptionConfiguration(
            "logs",
            bucket=bucket,
            rules=[EncryptionRule(apply_server_side_encryption_by_default=ByDefault(sse_algorithm="AES256"))],
            opts=ResourceOptions(parent=self, depends_on=[owned]),
        )
        rule = LifecycleRule(
            id="expire",
            status="Enabled",
            filter=Everything(prefix=""),
            expiration=Expiration(days=stage.log_retention_days),
            abort_incomplete_multipart_upload=Abort(days_after_initiation=1),
        )
        expiring = s3.BucketLifecycleConfiguration(
            "logs", bucket=bucket, rules=[rule], opts=ResourceOptions(parent=self, depends_on=[encrypted])
        )
        return s3.BucketPolicy("logs", bucket=bucket, policy=policy, opts=ResourceOptions(parent=self, depends_on=[expiring]))


def _statements(stage: Stage, account: Output[str], bucket_arn: Output[str]) -> list[Statement]:
    """Who writes, and that nobody does so without TLS.

    AWS documents no source of Elastic Load Balancing's requests, and a condition on one is known to refuse them all; but a balancer writes
    only to the path of its own account, which is named here. Flow logs do come with their source. Whether they ask for an ACL, on which
    AWS's own example has a condition, does not matter: ACLs are off.
    """
    paths = [Output.concat(bucket_arn, f"/{place}/AWSLogs/", account, "/*") for place in (ACCESS, CONNECTIONS)]
    source = acting_for(account, Output.format("arn:aws:logs:{0}:{1}:*", stage.region, account))
    delivery = {"Service": "delivery.logs.amazonaws.com"}
    return [
        {
            "Sid": "BalancerWrites",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": paths,
        },
        {
            "Sid": "AWSLogDeliveryWrite",
            "Effect": "Allow",
            "Principal": delivery,
            "Action": "s3:PutObject",
            "Resource": Output.concat(bucket_arn, "/AWSLogs/", account, "/*"),
            "Condition": source,
        },
        {
            "Sid": "AWSLogDeliveryAclCheck",
            "Effect": "Allow",
            "Principal": delivery,
            "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
            "Resource": bucket_arn,
            "Condition": source,
        },
        {
            "Sid": "EncryptedOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, Output.concat(bucket_arn, "/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
