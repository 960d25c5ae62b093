"""The cache."""

from __future__ import annotations

from collections.abc import Iterator

from policies.policy import Policy, absent, equals, every, given, refused
from policies.stack import Resource, Stack


def narrow(user: Resource, _stack: Stack) -> Iterator[str]:
    words = str(user.known("accessString") or "").split()
    if wide := [word for word in words if word in ("+@all", "allcommands", "nopass", "allkeys", "~*")]:
        yield f"accessString has {', '.join(wide)}"


POLICIES = (
    Policy(
        name="cache-at-rest",
        title="The cache is encrypted at rest with the stage's key",
        why="It holds callers' answers.",
        fix="at_rest_encryption_enabled=True and kms_key_id=key.arn.",
        on=("elasticache:ReplicationGroup",),
        check=every(equals("atRestEncryptionEnabled", True), given("kmsKeyId")),
        covers=("CKV_AWS_29", "CKV_AWS_191", "elasticache_redis_cluster_rest_encryption_enabled", "AwsSolutions-AEC3"),
    ),
    Policy(
        name="cache-in-transit",
        title="The cache speaks TLS only",
        why="Answers and the app's identity would cross the network as plain text.",
        fix="transit_encryption_enabled=True and transit_encryption_mode='required'.",
        on=("elasticache:ReplicationGroup",),
        check=every(equals("transitEncryptionEnabled", True), equals("transitEncryptionMode", "required")),
        severity="high",
        covers=("CKV_AWS_30", "elasticache_redis_cluster_in_transit_encryption_enabled", "AwsSolutions-AEC3"),
    ),
    Policy(
        name="cache-users",
        title="The cache knows its users, and there is no password",
        why="A password leaks and must be rotated; a role does neither.",
        fix="user_group_ids, and no auth_token.",
        on=("elasticache:ReplicationGroup",),
        check=every(given("userGroupIds"), absent("authToken")),
        severity="high",
        covers=("CKV_AWS_31", "elasticache_redis_replication_group_auth_enabled", "AwsSolutions-AEC6"),
    ),
    Policy(
        name="cache-user-iam",
        title="A user of the cache proves itself by IAM and may do only what it needs",
        why="Who takes over a task could otherwise read every key and empty the cache.",
        fix="authentication_mode type 'iam', and an access string with key patterns and commands by name.",
        on=("elasticache:User",),
        check=every(equals("authenticationMode.type", "iam"), narrow),
        severity="high",
    ),
    Policy(
        name="cache-fails-over",
        title="A protected stage's cache is in several zones and fails over by itself",
        why="Budgets and limits are in it: without it the gateway must refuse or guess.",
        fix="`cacheReplicas` of 1 or more.",
        on=("elasticache:ReplicationGroup",),
        check=every(equals("automaticFailoverEnabled", True), equals("multiAzEnabled", True)),
        protected=True,
        covers=(
            *("CKV2_AWS_50", "AwsSolutions-AEC4"),
            *("elasticache_redis_cluster_automatic_failover_enabled", "elasticache_redis_cluster_multi_az_enabled"),
        ),
    ),
    Policy(
        name="cache-patched",
        title="The cache takes minor versions by itself",
        why="They mend what is known to attackers.",
        fix="auto_minor_version_upgrade=True.",
        on=("elasticache:ReplicationGroup",),
        check=equals("autoMinorVersionUpgrade", True),
        covers=("CKV_AWS_322", "elasticache_redis_cluster_auto_minor_version_upgrades"),
    ),
    Policy(
        name="cache-placed",
        title="The cache is in subnets and groups that are named",
        why="Otherwise AWS puts it into the account's default network.",
        fix="subnet_group_name and security_group_ids.",
        on=("elasticache:ReplicationGroup",),
        check=every(given("subnetGroupName"), given("securityGroupIds")),
        covers=("CKV_AWS_323", "AwsSolutions-AEC1"),
    ),
    Policy(
        name="cache-users-named",
        title="The group of users has named users, and not the default one",
        why="The default user may do everything without a password.",
        fix="A group of Valkey's with the app's user only.",
        on=("elasticache:UserGroup",),
        check=every(equals("engine", "valkey"), given("userIds")),
    ),
    Policy(
        name="cache-of-one-kind",
        title="The cache is a replication group",
        why="A cluster without replication can neither be encrypted with a key of one's own nor fail over.",
        fix="elasticache.ReplicationGroup.",
        on=("elasticache:Cluster", "elasticache:ServerlessCache"),
        check=refused("it is not a replication group"),
    ),
)
