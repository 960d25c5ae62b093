"""Alarms, dashboard, rules for events and the topic that alarms tell, in the emulated AWS."""

from __future__ import annotations

from sandbox.row import Call, Inputs, Row, renamed

TARGET = "target"


def _dimensions(inputs: Inputs) -> Inputs:
    pairs = [{"name": name, "value": value} for name, value in inputs.get("dimensions", {}).items()]
    return inputs | {"dimensions": pairs}


def _query(query: Inputs) -> Inputs:
    if "metric" not in query:
        return query
    metric = _dimensions(query["metric"])
    return query | {"metricStat": {"metric": metric, "period": metric["period"], "stat": metric["stat"]}}


def _alarm(inputs: Inputs) -> Inputs:
    return _dimensions(inputs) | {"alarmName": inputs["name"], "metrics": [_query(query) for query in inputs.get("metricQueries", [])]}


def _filter(inputs: Inputs) -> Inputs:
    given = inputs["metricTransformation"]
    default = {"defaultValue": float(given["defaultValue"])} if "defaultValue" in given else {}
    named = {"metricName": given["name"], "metricNamespace": given["namespace"], "metricValue": given["value"]}
    return inputs | {"filterName": inputs["name"], "filterPattern": inputs["pattern"], "metricTransformations": [given | named | default]}


def _topic(call: Call, arn: str, inputs: Inputs) -> None:
    for ours, name in (("displayName", "DisplayName"), ("kmsMasterKeyId", "KmsMasterKeyId")):
        if ours in inputs:
            call("set_topic_attributes", topicArn=arn, attributeName=name, attributeValue=inputs[ours])


ALARMS = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        "cloudwatch", "put_metric_alarm", "=name", "AlarmNames", "describe_alarms", "MetricAlarms[0]", "put_metric_alarm", "delete_alarms",
        mutable=("alarmActions", "alarmDescription", "comparisonOperator", "datapointsToAlarm", "dimensions", "evaluationPeriods",
                 "extendedStatistic", "metricName", "metricQueries", "namespace", "okActions", "period", "statistic", "threshold",
                 "treatMissingData"),
        named=255, prepare=_alarm, outputs={"arn": "AlarmArn"},
    ),
    "aws:cloudwatch/dashboard:Dashboard": Row(
        "cloudwatch", "put_dashboard", "=dashboardName", "DashboardName", "get_dashboard", update="put_dashboard",
        delete="delete_dashboards", mutable=("dashboardBody",), tagged=False, outputs={"dashboardArn": "DashboardArn"},
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Row(
        "logs", "put_metric_filter", "=name", "filterName", update="put_metric_filter", delete="delete_metric_filter",
        mutable=("pattern", "metricTransformation"), tagged=False, prepare=_filter,
    ),
    "aws:cloudwatch/eventRule:EventRule": Row(
        "events", "put_rule", "=name", "Name", "describe_rule", update="put_rule", delete="delete_rule",
        mutable=("description", "eventPattern"), named=64, outputs={"arn": "Arn"},
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Row(
        "events", "put_targets", "=rule,arn", update="put_targets", delete="remove_targets", mutable=("arn",), tagged=False,
        prepare=lambda inputs: inputs | {"targets": [{"id": TARGET, "arn": inputs["arn"]}], "ids": [TARGET]},
    ),
    "aws:sns/topic:Topic": Row(
        "sns", "create_topic", "TopicArn", "TopicArn", "get_topic_attributes", "Attributes", delete="delete_topic",
        mutable=("displayName", "kmsMasterKeyId"), named=256, after=_topic, outputs={"arn": "TopicArn"},
    ),
    "aws:sns/topicPolicy:TopicPolicy": Row(
        "sns", "set_topic_attributes", "=arn", update="set_topic_attributes", mutable=("policy",), tagged=False,
        prepare=lambda inputs: {"topicArn": inputs["arn"], "attributeName": "Policy", "attributeValue": inputs["policy"], **inputs},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Row(
        "sns", "subscribe", "SubscriptionArn", "SubscriptionArn", "get_subscription_attributes", "Attributes", delete="unsubscribe",
        tagged=False, prepare=renamed(topic="topicArn"),
    ),
}  # fmt: skip
