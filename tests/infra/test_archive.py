"""The bucket of logs: who writes to it, and how long it keeps what they wrote."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.infra.access import Call, allowed
from tests.infra.deployment import ACCOUNT, Deployment, deploy

OTHER = "999999999999"
ENCRYPTED = {"aws:SecureTransport": "true"}
BALANCER = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
FLOWS = {"Service": "delivery.logs.amazonaws.com"}
SOURCE = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:vpcflowlogs"}


def bucket(deployed: Deployment) -> str:
    """The bucket's ARN, as its policy has it."""
    (check,) = [item for item in deployed.policy("s3:BucketPolicy", "logs") if item["Sid"] == "AWSLogDeliveryAclCheck"]
    assert deployed.one("s3:Bucket", "logs").id in check["Resource"]
    return str(check["Resource"])


def writes(deployed: Deployment, who: dict[str, str], path: str, context: dict[str, str] | None = None) -> bool:
    call = Call("s3:PutObject", f"{bucket(deployed)}/{path}", who, ENCRYPTED | (context or {}))
    return allowed(deployed.policy("s3:BucketPolicy", "logs"), call)


@pytest.mark.parametrize("logs", ["accessLogs", "connectionLogs"])
def test_the_balancer_writes_its_logs_for_this_account(deployed: Deployment, logs: str) -> None:
    given = deployed.one("lb:LoadBalancer", "gateway").inputs[logs]
    assert given["enabled"] is True
    assert deployed.one("s3:Bucket", "logs").id in given["bucket"]
    place = given["prefix"]
    # AWS turns logging on only where this object can be written
    assert writes(deployed, BALANCER, f"{place}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile")
    assert not writes(deployed, BALANCER, f"{place}/AWSLogs/{OTHER}/ELBAccessLogTestFile"), "another account's balancer"
    assert not writes(deployed, BALANCER, "elsewhere")


def test_the_balancers_two_logs_lie_apart(deployed: Deployment) -> None:
    given = deployed.one("lb:LoadBalancer", "gateway").inputs
    assert given["accessLogs"]["prefix"] != given["connectionLogs"]["prefix"]


def test_flow_logs_of_this_account_and_region_are_delivered(deployed: Deployment) -> None:
    path = f"AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2026/11/01/flows.log.gz"
    assert writes(deployed, FLOWS, path, SOURCE)
    assert writes(deployed, FLOWS, path, SOURCE | {"s3:x-amz-acl": "bucket-owner-full-control"})
    assert not writes(deployed, FLOWS, path)
    assert not writes(deployed, FLOWS, path, SOURCE | {"aws:SourceAccount": OTHER})
    assert not writes(deployed, FLOWS, path, SOURCE | {"aws:SourceArn": f"arn:aws:logs:us-east-1:{OTHER}:vpcflowlogs"})
    assert not writes(deployed, FLOWS, path, SOURCE | {"aws:SourceArn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:vpcflowlogs"})
    assert not writes(deployed, FLOWS, f"AWSLogs/{OTHER}/vpcflowlogs/us-east-1/flows.log.gz", SOURCE)
    for action in ("s3:GetBucketAcl", "s3:ListBucket"):
        policy = deployed.policy("s3:BucketPolicy", "logs")
        assert allowed(policy, Call(action, bucket(deployed), FLOWS, ENCRYPTED | SOURCE))
        assert not allowed(policy, Call(action, bucket(deployed), FLOWS, ENCRYPTED))


def test_nobody_reads_or_writes_without_tls(deployed: Deployment) -> None:
    (statement,) = [item for item in deployed.policy("s3:BucketPolicy", "logs") if item["Effect"] == "Deny"]
    assert (statement["Principal"], statement["Action"]) == ("*", "s3:*")
    assert statement["Resource"] == [bucket(deployed), f"{bucket(deployed)}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    path = f"AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2026/11/01/flows.log.gz"
    assert not writes(deployed, FLOWS, path, SOURCE | {"aws:SecureTransport": "false"})


def test_nothing_in_it_is_public(deployed: Deployment) -> None:
    block = deployed.one("s3:BucketPublicAccessBlock", "logs").inputs
    assert {key: value for key, value in block.items() if key != "bucket"} == dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    assert deployed.one("s3:BucketOwnershipControls", "logs").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_s3_encrypts_it_with_keys_of_its_own(deployed: Deployment) -> None:
    """A balancer's logs cannot be delivered to a bucket with a key of ours: AWS says so, and refuses to turn logging on."""
    (rule,) = deployed.one("s3:BucketServerSideEncryptionConfiguration", "logs").inputs["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}


def test_logs_end_when_the_stage_says_so_and_leave_no_versions() -> None:
    for days in (7, 400):
        deployed = deploy("staging", logRetentionDays=days)
        (rule,) = deployed.one("s3:BucketLifecycleConfiguration", "logs").inputs["rules"]
        assert rule["status"] == "Enabled"
        assert rule["filter"] == {"prefix": ""}, "all that is in the bucket"
        assert rule["expiration"] == {"days": days}
        assert not deployed.all("s3:BucketVersioning")


def test_a_full_bucket_goes_with_its_stage_unless_that_is_protected(staging: Deployment, prod: Deployment) -> None:
    assert staging.one("s3:Bucket", "logs").inputs["forceDestroy"] is True
    assert prod.one("s3:Bucket", "logs").inputs["forceDestroy"] is False


def test_whoever_writes_waits_for_the_policy(deployed: Deployment) -> None:
    policy = "s3:BucketPolicy", "logs"
    assert policy in deployed.one("lb:LoadBalancer", "gateway").depends_on
    assert policy in deployed.one("ec2:FlowLog", "network").depends_on


def test_the_buckets_settings_are_made_one_after_the_other(deployed: Deployment) -> None:
    """S3 answers 409 to two changes of one bucket at the same time."""
    chain = (
        "BucketPublicAccessBlock",
        "BucketOwnershipControls",
        "BucketServerSideEncryptionConfiguration",
        "BucketLifecycleConfiguration",
        "BucketPolicy",
    )
    for before, after in pairwise(chain):
        assert (f"s3:{before}", "logs") in deployed.one(f"s3:{after}", "logs").depends_on


def test_the_bucket_has_a_name_that_nobody_else_has(deployed: Deployment) -> None:
    given = deployed.one("s3:Bucket", "logs").inputs
    assert "bucket" not in given
    assert given["bucketPrefix"] == f"{deployed.outputs['cluster']}-"
    assert len(given["bucketPrefix"]) <= 37


def test_all_flows_are_logged(deployed: Deployment) -> None:
    log = deployed.one("ec2:FlowLog", "network").inputs
    assert log["trafficType"] == "ALL"
    assert log["vpcId"] == deployed.one("ec2:Vpc", "network").id
    assert log["logDestinationType"] == "s3"
    assert log["logDestination"] == bucket(deployed)
    assert "iamRoleArn" not in log
