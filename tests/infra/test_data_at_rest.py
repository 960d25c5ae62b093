"""What holds data: encrypted, protected where the stage says so, and with no value in the program."""

from __future__ import annotations

import json
import re

from tests.infra.deployment import Deployment, deploy

KEPT = {
    ("cloudwatch:LogGroup", "app"),
    ("ecr:Repository", "image"),
    ("elasticache:ReplicationGroup", "cache"),
    ("kms:Key", "key"),
    ("s3:Bucket", "logs"),
    ("secretsmanager:Secret", "clients"),
    ("secretsmanager:Secret", "openai-key"),
}
"""What holds data that nobody could make again: keys, counters, logs, and the images to go back to."""


def test_secrets_have_the_stages_key_and_a_name_that_can_be_taken_again(deployed: Deployment) -> None:
    key = deployed.one("kms:Key", "key").id
    secrets = deployed.all("secretsmanager:Secret")
    assert secrets.keys() == {"openai-key", "clients"}
    for name, secret in secrets.items():
        assert key in secret.inputs["kmsKeyId"]
        assert secret.inputs["namePrefix"] == f"{deployed.outputs['cluster']}/{name}-"
        assert "name" not in secret.inputs


def test_the_program_has_no_value_for_the_openai_key(deployed: Deployment) -> None:
    (version,) = deployed.all("secretsmanager:SecretVersion").values()
    assert version.inputs["secretId"] != deployed.one("secretsmanager:Secret", "openai-key").id
    assert version.inputs["secretId"] == deployed.one("secretsmanager:Secret", "clients").id


def test_the_first_list_of_callers_never_replaces_another(deployed: Deployment) -> None:
    version = deployed.one("secretsmanager:SecretVersion", "no-clients")
    assert version.inputs["secretString"] in ("{}", "[secret]")
    assert version.inputs["versionStages"] == ["initial"], "with AWSCURRENT, a version made again would lock every caller out"
    assert set(version.ignore_changes) == {"secretString", "versionStages"}


def test_the_cache_is_encrypted_and_asks_who_is_there(deployed: Deployment) -> None:
    given = deployed.one("elasticache:ReplicationGroup", "cache").inputs
    assert given["engine"] == "valkey"
    assert given["engineVersion"].startswith("8.")
    assert given["transitEncryptionEnabled"] is True
    assert given["transitEncryptionMode"] == "required"
    assert given["atRestEncryptionEnabled"] is True
    assert deployed.one("kms:Key", "key").id in given["kmsKeyId"]
    assert "authToken" not in given
    users = deployed.one("elasticache:UserGroup", "cache").inputs
    assert given["userGroupIds"] == [users["userGroupId"]]
    user = deployed.one("elasticache:User", "cache").inputs
    assert users["userIds"] == [user["userId"]]
    assert user["userId"] == user["userName"]
    assert user["authenticationMode"] == {"type": "iam"}
    assert {users["engine"], user["engine"]} == {"valkey"}


def test_the_cache_fails_over_to_another_zone_where_there_are_replicas(staging: Deployment, prod: Deployment) -> None:
    for deployed, nodes in ((staging, 1), (prod, 3)):
        given = deployed.one("elasticache:ReplicationGroup", "cache").inputs
        assert given["numCacheClusters"] == nodes
        assert given["automaticFailoverEnabled"] is given["multiAzEnabled"] is (nodes > 1)


def test_logs_are_encrypted_and_end(deployed: Deployment) -> None:
    key = deployed.one("kms:Key", "key").id
    groups = deployed.all("cloudwatch:LogGroup")
    assert "app" in groups
    for group in groups.values():
        assert key in group.inputs["kmsKeyId"]
        assert group.inputs["retentionInDays"] > 0


def test_data_is_protected_where_the_stage_says_so(staging: Deployment, prod: Deployment) -> None:
    assert {key for key, resource in prod.resources.items() if resource.protect} >= KEPT
    assert not [key for key, resource in staging.resources.items() if resource.protect]
    assert prod.one("ecr:Repository", "image").inputs["forceDelete"] is False
    assert prod.one("lb:LoadBalancer", "gateway").inputs["enableDeletionProtection"] is True


def test_images_are_scanned_encrypted_and_cannot_be_moved(staging: Deployment) -> None:
    repository = staging.one("ecr:Repository", "image").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (encryption,) = repository["encryptionConfigurations"]
    assert encryption["encryptionType"] == "KMS"
    assert staging.one("kms:Key", "key").id in encryption["kmsKey"]
    (rule,) = json.loads(staging.one("ecr:LifecyclePolicy", "image").inputs["policy"])["rules"]
    assert rule["selection"]["countNumber"] == 20


def test_the_image_is_built_for_arm_and_the_registrys_token_stays_secret(staging: Deployment) -> None:
    built = staging.one("docker-build:Image", "image").inputs
    assert built["platforms"] == ["linux/arm64"]
    assert built["push"] is True
    (tag,) = built["tags"]
    assert tag.rpartition(":")[2].isalnum()
    assert "latest" not in tag
    assert "[secret]" in json.dumps(built["registries"])
    assert not built["context"]["location"].startswith("/"), "an absolute path would be a change on each machine"


def test_an_image_that_is_given_is_taken_as_it_is(deployed: Deployment) -> None:
    digest = f"registry.example.com/acme/gateway@sha256:{'b' * 64}"
    given = deploy("prod", image=digest)
    assert not given.all("docker-build:Image")
    assert not given.all("ecr:Repository")
    assert given.container()["image"] == given.outputs["image"] == digest
    assert ("repository" in deployed.outputs) == bool(deployed.all("ecr:Repository"))


def test_no_key_stands_anywhere(deployed: Deployment) -> None:
    everything = json.dumps([resource.inputs for resource in deployed.resources.values()]) + json.dumps(deployed.outputs)
    assert not re.search(r"\bsk-", everything)
    assert "password" not in everything.replace('"password": "[secret]"', "")
