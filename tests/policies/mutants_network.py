"""What can go wrong between the internet and the tasks."""

from __future__ import annotations

from tests.policies.mutant import Mutant, added, changed
from tests.policies.programs import ABSENT, drop, link, provide, put, several

ANYWHERE = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0", "description": "Callers"}
BALANCER, RUNNING, ACL = "lb:LoadBalancer::gateway", "ecs:Service::gateway", "wafv2:WebAcl::gateway"
KMS, CACHE = "kms:Key::key", "elasticache:ReplicationGroup::cache"
ONE_ZONE = [put(f"ec2:Subnet::{kind}-{index}", "availabilityZone", "us-east-1a") for kind in ("public", "private") for index in range(3)]

STAGE = (
    changed("us-region", CACHE, "region", "eu-west-1"),
    Mutant("us-region", provide(CACHE, region="ca-central-1"), CACHE),
    Mutant("us-region", provide(CACHE), CACHE),
    Mutant("tags", provide(KMS, region="us-east-1"), KMS),
    changed("tags", KMS, "tags", {"stage": "other"}),
    added("known-type", "sqs:Queue", {}),
)
NETWORK = (
    changed("subnet-gives-no-address", "ec2:Subnet::private-0", "mapPublicIpOnLaunch", True),
    Mutant("default-group-empty", drop("ec2:DefaultSecurityGroup::default"), "ec2:Vpc::network"),
    Mutant("default-group-empty", put("ec2:DefaultSecurityGroup::default", "ingress", [{"protocol": "-1"}]), "ec2:Vpc::network"),
    Mutant("flow-logs", drop("ec2:FlowLog::network"), "ec2:Vpc::network"),
    Mutant("flow-logs", put("ec2:FlowLog::network", "trafficType", "ACCEPT"), "ec2:Vpc::network"),
    Mutant("network-several-zones", several(*ONE_ZONE), "ec2:Vpc::network"),
    changed("balancer-several-zones", BALANCER, "subnets", ["subnet-1"]),
    changed("service-several-zones", RUNNING, "networkConfiguration.subnets", ["subnet-1"]),
    Mutant("service-private", link(RUNNING, "networkConfiguration", "ec2:Subnet::public-0"), RUNNING),
    Mutant("cache-private", link("elasticache:SubnetGroup::cache", "subnetIds", "ec2:Subnet::public-0"), "elasticache:SubnetGroup::cache"),
    changed("cache-private", "elasticache:SubnetGroup::cache", "subnetIds", ["subnet-1"]),
    changed("endpoint-closed", "ec2:VpcEndpoint::logs", "policy", ABSENT, "endpoints"),
    changed("endpoint-closed", "ec2:VpcEndpoint::logs", "policy#Statement.0.Condition", ABSENT, "endpoints"),
    changed("endpoint-closed", "ec2:VpcEndpoint::logs", "securityGroupIds", [], "endpoints"),
    added("no-network-acl", "ec2:NetworkAcl", {"vpcId": "vpc-1"}),
)
GROUPS = (
    added("ingress-ports", "vpc:SecurityGroupIngressRule", ANYWHERE),
    added("ingress-ports", "vpc:SecurityGroupIngressRule", ANYWHERE | {"ipProtocol": "-1", "fromPort": None, "toPort": None}),
    added("ingress-ports", "vpc:SecurityGroupIngressRule", ANYWHERE | {"toPort": 443}),
    added("ingress-ports", "vpc:SecurityGroupIngressRule", ANYWHERE | {"cidrIpv4": None, "cidrIpv6": "::/0"}),
    added("ingress-ports", "vpc:SecurityGroupIngressRule", ANYWHERE | {"cidrIpv4": "8.8.0.0/16"}),
    added(
        "ingress-balancer",
        "vpc:SecurityGroupIngressRule",
        ANYWHERE | {"fromPort": 443, "toPort": 443},
        securityGroupId="ec2:SecurityGroup::tasks",
    ),
    changed("egress-ports", "vpc:SecurityGroupEgressRule::tasks-to-internet", "ipProtocol", "-1"),
    changed("egress-ports", "vpc:SecurityGroupEgressRule::tasks-to-internet", "fromPort", 0),
    changed("group-described", "ec2:SecurityGroup::tasks", "description", ABSENT),
    changed("group-described", "ec2:SecurityGroup::tasks", "description", "Managed by Pulumi"),
    changed("group-rules-apart", "ec2:SecurityGroup::tasks", "ingress", [{"protocol": "-1"}]),
    added("group-rules-of-today", "ec2:SecurityGroupRule", {"type": "ingress"}),
    added("group-used", "ec2:SecurityGroup", {"description": "left over"}),
)
BALANCERS = (
    changed("listener-encrypted", "lb:Listener::https", "protocol", "HTTP"),
    changed("listener-encrypted", "lb:Listener::http", "defaultActions.0", {"type": "forward"}),
    changed("listener-encrypted", "lb:Listener::http", "defaultActions.0.redirect.protocol", "HTTP"),
    changed("listener-encrypted", "lb:Listener::http", "defaultActions.1", {"type": "forward"}),
    changed("listener-tls", "lb:Listener::https", "sslPolicy", "ELBSecurityPolicy-2016-08"),
    changed("listener-tls", "lb:Listener::https", "sslPolicy", ABSENT),
    changed("listener-tls", "lb:Listener::https", "sslPolicy", "ELBSecurityPolicy-TLS13-1-2-2021-06"),
    changed("listener-tls", "lb:Listener::https", "certificateArn", ABSENT),
    changed("listener-hsts", "lb:Listener::https", "routingHttpResponseStrictTransportSecurityHeaderValue", ABSENT),
    changed("balancer-headers", BALANCER, "dropInvalidHeaderFields", False),
    changed("balancer-desync", BALANCER, "desyncMitigationMode", "monitor"),
    changed("balancer-logs", BALANCER, "accessLogs", ABSENT),
    changed("balancer-logs", BALANCER, "accessLogs.enabled", False),
    changed("balancer-kept", BALANCER, "enableDeletionProtection", False),
    changed("targets-checked", "lb:TargetGroup::tasks", "healthCheck", ABSENT),
    changed("targets-checked", "lb:TargetGroup::tasks", "healthCheck.enabled", False),
    Mutant("targets-watched", put("cloudwatch:MetricAlarm::unhealthy-tasks", "metricName", "HealthyHostCount"), "lb:TargetGroup::tasks"),
    Mutant("targets-watched", drop("cloudwatch:MetricAlarm::unhealthy-tasks"), "lb:TargetGroup::tasks"),
    changed("certificate-renews", "acm:Certificate::domain", "validationMethod", "EMAIL"),
    Mutant("balancer-firewall", drop("wafv2:WebAclAssociation::balancer"), BALANCER),
    Mutant("balancer-firewall", link("wafv2:WebAclAssociation::balancer", "resourceArn"), BALANCER),
)
FIREWALL = (
    changed("firewall-attacks", ACL, "rules.2.statement.managedRuleGroupStatement.name", "AWSManagedRulesLinuxRuleSet"),
    changed("firewall-attacks", ACL, "rules.2.overrideAction", {"count": {}}),
    changed("firewall-exceptions", ACL, "rules.2.statement.managedRuleGroupStatement.ruleActionOverrides.0.name", "Log4JRCE_HEADER"),
    changed("firewall-rate", ACL, "rules.0.action", {"count": {}}),
    Mutant("firewall-logs", drop("wafv2:WebAclLoggingConfiguration::firewall"), ACL),
    changed("firewall-logs-no-keys", "wafv2:WebAclLoggingConfiguration::firewall", "redactedFields", []),
    changed("firewall-metrics", ACL, "visibilityConfig.cloudwatchMetricsEnabled", False),
    changed("firewall-metrics", ACL, "rules.1.visibilityConfig.cloudwatchMetricsEnabled", False),
)
MUTANTS = (*STAGE, *NETWORK, *GROUPS, *BALANCERS, *FIREWALL)
