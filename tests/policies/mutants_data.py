"""What can go wrong with rights, and with what holds data."""

from __future__ import annotations

from typing import Any

from tests.policies.mutant import Mutant, added, changed
from tests.policies.programs import ABSENT, add, drop, link, put, unprotect

OPEN: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}
EVENTS: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "kms:Encrypt", "Resource": "*"}
STRANGER: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:role/other"}, "Resource": "*"}
ROOT = {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}}
FEDERATED = {"Principal": {"Federated": "token.actions.githubusercontent.com"}}


def subject(name: str) -> dict[str, Any]:
    return {"Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": name}}}


RIGHTS, TRUST = "iam:RolePolicy::task", "iam:Role::task"
KMS, CACHE = "kms:Key::key", "elasticache:ReplicationGroup::cache"

IDENTITY = (
    changed("no-wildcard-action", RIGHTS, "policy#Statement.0.Action", ["secretsmanager:*"]),
    changed("no-wildcard-action", RIGHTS, "policy#Statement.0.Action", "*"),
    changed("no-wildcard-action", RIGHTS, "policy#Statement.0.NotAction", ["iam:*"]),
    changed("no-wildcard-resource", RIGHTS, "policy#Statement.0.Resource", "*"),
    changed("no-wildcard-resource", RIGHTS, "policy#Statement.0.Resource", ["arn:aws:secretsmanager:us-east-1:123456789012:*"]),
    changed("no-wildcard-resource", "iam:RolePolicy::execution", "policy#Statement.0.Action.1", "ecr:DeleteRepository"),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0.Condition", ABSENT),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0.Condition", {"StringNotEquals": {"aws:SourceAccount": "1"}}),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0.Condition", {"ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:*:*"}}),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0.Principal", "*"),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0", STRANGER | ROOT),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0", STRANGER | FEDERATED),
    changed("role-trust", TRUST, "assumeRolePolicy#Statement.0", STRANGER | FEDERATED | subject("repo:acme/*")),
    changed("role-own-rights", TRUST, "managedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
    added("role-own-rights", "iam:RolePolicyAttachment", {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
    added("no-users", "iam:User", {}),
    added("no-users", "iam:AccessKey", {"user": "somebody"}),
)
GRANTS = (
    changed("grant-not-public", "sns:TopicPolicy::alarms", "policy#Statement.0", OPEN),
    changed("grant-not-public", "sns:TopicPolicy::alarms", "policy#Statement.0", OPEN | {"Principal": {"AWS": ["*"]}}),
    added("grant-not-public", "ecr:RepositoryPolicy", {"policy": '{"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "1"}}]}'}),
    changed("grant-bound", KMS, "policy#Statement.4.Condition", ABSENT),
    changed("grant-bound", KMS, "policy#Statement.5", EVENTS),
    changed("grant-bound", "s3:BucketPolicy::logs", "policy#Statement.0.Resource", "arn:aws:s3:::logs/*"),
    changed("grant-bound", "cloudwatch:LogResourcePolicy::stops", "policyDocument#Statement.1.Condition", ABSENT),
    changed("key-through-services", KMS, "policy#Statement.1.Condition.StringEquals.kms:ViaService", ABSENT),
    changed("key-through-services", KMS, "policy#Statement.0.Action", "kms:*"),
    changed("grant-bound", KMS, "policy#Statement.4.Condition", {"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}),
    changed("grant-narrow", KMS, "policy#Statement.5", STRANGER | {"Action": "kms:*"}),
)
DATA = (
    changed("key-rotates", KMS, "enableKeyRotation", False),
    changed("key-rotates", KMS, "isEnabled", False),
    changed("key-has-policy", KMS, "policy", ABSENT),
    changed("key-has-policy", KMS, "multiRegion", True),
    changed("key-has-policy", KMS, "bypassPolicyLockoutSafetyCheck", True),
    *(
        Mutant("data-protected", unprotect(label), label)
        for label in (KMS, CACHE, "secretsmanager:Secret::openai-key", "secretsmanager:Secret::clients", "s3:Bucket::logs")
    ),
    changed("data-not-emptied", "s3:Bucket::logs", "forceDestroy", True),
    changed("data-not-emptied", "ecr:Repository::image", "forceDelete", True),
    changed("log-ends", "cloudwatch:LogGroup::app", "retentionInDays", ABSENT),
    changed("log-ends", "cloudwatch:LogGroup::app", "retentionInDays", 0),
    changed("log-year", "cloudwatch:LogGroup::app", "retentionInDays", 180),
    changed("log-key", "cloudwatch:LogGroup::app", "kmsKeyId", ABSENT),
)
CACHES = (
    changed("cache-at-rest", CACHE, "atRestEncryptionEnabled", False),
    changed("cache-at-rest", CACHE, "kmsKeyId", ABSENT),
    changed("cache-in-transit", CACHE, "transitEncryptionEnabled", False),
    changed("cache-in-transit", CACHE, "transitEncryptionMode", "preferred"),
    changed("cache-users", CACHE, "userGroupIds", []),
    changed("cache-users", CACHE, "authToken", "[secret]"),
    changed("cache-user-iam", "elasticache:User::cache", "authenticationMode.type", "password"),
    changed("cache-user-iam", "elasticache:User::cache", "accessString", "on ~* +@all"),
    changed("cache-fails-over", CACHE, "automaticFailoverEnabled", False),
    changed("cache-fails-over", CACHE, "multiAzEnabled", False),
    changed("cache-patched", CACHE, "autoMinorVersionUpgrade", False),
    changed("cache-placed", CACHE, "subnetGroupName", ABSENT),
    changed("cache-placed", CACHE, "securityGroupIds", []),
    changed("cache-users-named", "elasticache:UserGroup::cache", "userIds", []),
    changed("cache-users-named", "elasticache:UserGroup::cache", "engine", "redis"),
    added("cache-of-one-kind", "elasticache:Cluster", {}),
)
BUCKETS = (
    Mutant("bucket-private", drop("s3:BucketPublicAccessBlock::logs"), "s3:Bucket::logs"),
    *(
        Mutant("bucket-private", put("s3:BucketPublicAccessBlock::logs", name, False), "s3:Bucket::logs")
        for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ),
    Mutant("bucket-private", add("s3:Bucket", {"bucket": "open"}), "s3:Bucket::added"),
    Mutant("bucket-tls", put("s3:BucketPolicy::logs", "policy#Statement.3", ABSENT), "s3:Bucket::logs"),
    Mutant("bucket-encrypted", put("s3:BucketServerSideEncryptionConfiguration::logs", "rules", []), "s3:Bucket::logs"),
    Mutant("bucket-encrypted", drop("s3:BucketServerSideEncryptionConfiguration::logs"), "s3:Bucket::logs"),
    Mutant("bucket-forgets", put("s3:BucketLifecycleConfiguration::logs", "rules.0.status", "Disabled"), "s3:Bucket::logs"),
    Mutant("bucket-forgets", put("s3:BucketLifecycleConfiguration::logs", "rules.0.expiration", ABSENT), "s3:Bucket::logs"),
    Mutant(
        "bucket-forgets", put("s3:BucketLifecycleConfiguration::logs", "rules.0.abortIncompleteMultipartUpload", ABSENT), "s3:Bucket::logs"
    ),
    Mutant("bucket-no-acl", put("s3:BucketOwnershipControls::logs", "rule.objectOwnership", "ObjectWriter"), "s3:Bucket::logs"),
    added("bucket-no-objects", "s3:BucketWebsiteConfiguration", {"bucket": "logs"}),
)
IMAGES = (
    changed("image-fixed", "ecr:Repository::image", "imageTagMutability", "MUTABLE"),
    changed("image-scanned", "ecr:Repository::image", "imageScanningConfiguration.scanOnPush", False),
    changed("image-encrypted", "ecr:Repository::image", "encryptionConfigurations", ABSENT),
    changed("image-encrypted", "ecr:Repository::image", "encryptionConfigurations.0.encryptionType", "AES256"),
    Mutant("image-ends", drop("ecr:LifecyclePolicy::image"), "ecr:Repository::image"),
)
ALARMS = (
    changed("alarm-tells", "cloudwatch:MetricAlarm::latency", "alarmActions", []),
    changed("alarm-tells", "cloudwatch:MetricAlarm::latency", "actionsEnabled", False),
    changed("alarm-missing-data", "cloudwatch:MetricAlarm::latency", "treatMissingData", ABSENT),
    changed("alarm-described", "cloudwatch:MetricAlarm::latency", "alarmDescription", ABSENT),
    changed("topic-encrypted", "sns:Topic::alarms", "kmsMasterKeyId", ABSENT),
    changed("topic-encrypted", "sns:Topic::alarms", "kmsMasterKeyId", "alias/aws/sns"),
    Mutant("topic-tls", put("sns:TopicPolicy::alarms", "policy#Statement.2", ABSENT), "sns:Topic::alarms"),
    added("topic-subscribers", "sns:TopicSubscription", {"protocol": "http", "endpoint": "http://example.com"}),
    Mutant("events-stay", link("cloudwatch:EventTarget::stops", "arn"), "cloudwatch:EventTarget::stops"),
)
MUTANTS = (*IDENTITY, *GRANTS, *DATA, *CACHES, *BUCKETS, *IMAGES, *ALARMS)
