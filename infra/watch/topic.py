"""Where alarms and budget warnings go."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import sns

from infra.config.stage import Stage
from infra.keys import EncryptionKey
from infra.policies import Statement, acting_for, document


class Topic(ComponentResource):
    """An SNS topic under the stage's key, with a mail subscription for each of the stage's addresses.

    CloudWatch's alarms and AWS Budgets of this account publish to it, over TLS, and nobody else: a message there gets somebody out of
    bed. AWS mails each address once for a confirmation; until then that address gets nothing. A stage without addresses has the topic
    all the same, so that a subscription made by hand (a pager, a chat) finds it.
    """

    arn: Output[str]

    def __init__(self, *, stage: Stage, account: Output[str], key: EncryptionKey, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:topic:Topic", "topic", None, opts)
        child = ResourceOptions(parent=self)
        topic = sns.Topic("alarms", name=f"{stage.label}-alarms", display_name=stage.label, kms_master_key_id=key.arn, opts=child)
        alarms = Output.format("arn:aws:cloudwatch:{0}:{1}:alarm:*", stage.region, account)
        budgets = Output.format("arn:aws:budgets::{0}:*", account)
        policy = sns.TopicPolicy(
            "alarms",
            arn=topic.arn,
            policy=document(
                _publish("Alarms", "cloudwatch.amazonaws.com", account, alarms, topic.arn),
                _publish("Budgets", "budgets.amazonaws.com", account, budgets, topic.arn),
                {
                    "Sid": "EncryptedOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=child,
        )
        for mail in stage.alarm_mails:
            sns.TopicSubscription(mail, topic=topic.arn, protocol="email", endpoint=mail, opts=child)
        # whoever uses the topic waits for its policy: AWS tries a budget's right to publish as it is made
        self.arn = Output.all(topic.arn, policy.id).apply(lambda made: str(made[0]))
        self.register_outputs({"arn": self.arn})


def _publish(sid: str, service: str, account: Output[str], source_arn: Output[str], topic_arn: Output[str]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": acting_for(account, source_arn),
    }
