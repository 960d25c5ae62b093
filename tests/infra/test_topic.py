"""The topic that alarms and budgets tell: who may, who hears it, and how it is kept."""

from __future__ import annotations

from tests.infra.deployment import ACCOUNT, Deployment, deploy


def test_it_is_encrypted_with_the_stages_key(deployed: Deployment) -> None:
    topic = deployed.one("sns:Topic", "alarms").inputs
    assert deployed.one("kms:Key", "key").id in topic["kmsMasterKeyId"]
    assert topic["name"] == f"{deployed.outputs['cluster']}-alarms"
    assert len(topic["displayName"]) <= 100


def test_alarms_and_budgets_of_this_account_publish_and_nobody_else(deployed: Deployment) -> None:
    statements = deployed.policy("sns:TopicPolicy", "alarms")
    allowed = {one["Principal"]["Service"]: one for one in statements if one["Effect"] == "Allow"}
    sources = {
        "cloudwatch.amazonaws.com": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:*",
        "budgets.amazonaws.com": f"arn:aws:budgets::{ACCOUNT}:*",
    }
    assert len(statements) == 3
    assert allowed.keys() == sources.keys()
    for service, statement in allowed.items():
        assert statement["Action"] == "sns:Publish"
        assert deployed.one("sns:Topic", "alarms").id in statement["Resource"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": sources[service]},
        }


def test_nothing_is_published_unencrypted(deployed: Deployment) -> None:
    (denied,) = [one for one in deployed.policy("sns:TopicPolicy", "alarms") if one["Effect"] == "Deny"]
    assert (denied["Principal"], denied["Action"]) == ("*", "sns:Publish")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert deployed.one("sns:Topic", "alarms").id in denied["Resource"]


def test_each_address_hears_it() -> None:
    mails = ["one@example.com", "two@example.com"]
    deployed = deploy("staging", alarmMails=mails)
    found = [one.inputs for one in deployed.all("sns:TopicSubscription").values()]
    assert sorted((one["protocol"], one["endpoint"]) for one in found) == [("email", mail) for mail in mails]
    assert all(deployed.one("sns:Topic", "alarms").id in one["topic"] for one in found)


def test_without_addresses_the_topic_and_the_alarms_are_there_all_the_same(staging: Deployment) -> None:
    assert not staging.all("sns:TopicSubscription")
    assert staging.all("cloudwatch:MetricAlarm")


def test_who_uses_it_waits_until_its_policy_lets_them(deployed: Deployment) -> None:
    for alarm in deployed.all("cloudwatch:MetricAlarm").values():
        assert ("sns:TopicPolicy", "alarms") in alarm.depends_on
