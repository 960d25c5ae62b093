"""A stage on AWS, from callers to OpenAI: only the wiring."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi
from pulumi_aws import Provider, ProviderDefaultTagsArgs, get_caller_identity_output

from infra.archive import Archive
from infra.balancer import Balancer
from infra.budget import Budget
from infra.cache import Cache
from infra.config.stage import Stage
from infra.credentials import Credentials
from infra.endpoints import Endpoints
from infra.firewall import Firewall
from infra.given_network import GivenNetwork
from infra.groups import Groups
from infra.image import Image
from infra.keys import EncryptionKey
from infra.logs import Logs
from infra.own_network import OwnNetwork
from infra.roles import Roles
from infra.scaling import Scaling
from infra.service import Service
from infra.watch.alarms import Alarms
from infra.watch.dashboard import Dashboard
from infra.watch.deployment_alarms import DeploymentAlarms
from infra.watch.stops import Stops
from infra.watch.topic import Topic

stage = Stage.load()
provider = Provider(
    "aws",
    region=stage.region,
    allowed_account_ids=stage.allowed_account_ids or None,
    default_tags=ProviderDefaultTagsArgs(tags=stage.tags),
)
account = get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider)).account_id
opts = pulumi.ResourceOptions(provider=provider)

# first of all, because a network that is given may be refused
network = GivenNetwork(stage=stage, opts=opts) if stage.vpc_id else OwnNetwork(stage=stage, opts=opts)
key = EncryptionKey(stage=stage, account=account, opts=opts)
topic = Topic(stage=stage, account=account, key=key, opts=opts)
Budget(stage=stage, topic=topic, opts=opts)
logs = Logs(stage=stage, key=key, opts=opts)
archive = Archive(stage=stage, account=account, network=network, opts=opts)
groups = Groups(stage=stage, network=network, opts=opts)
endpoints = Endpoints(stage=stage, account=account, network=network, groups=groups, opts=opts)
credentials = Credentials(stage=stage, key=key, opts=opts)
cache = Cache(stage=stage, key=key, network=network, groups=groups, opts=opts)
image = Image(stage=stage, key=key, opts=opts)
balancer = Balancer(stage=stage, network=network, groups=groups, archive=archive, opts=opts)
firewall = Firewall(stage=stage, account=account, key=key, balancer=balancer, opts=opts)
roles = Roles(stage=stage, account=account, key=key, logs=logs, image=image, credentials=credentials, cache=cache, opts=opts)
deployment_alarms = DeploymentAlarms(stage=stage, topic=topic, balancer=balancer, opts=opts)
settings = {
    "openai_secret_id": credentials.filled(
        after=[logs, network, archive, groups, endpoints, cache, image, balancer, deployment_alarms, firewall, roles]
    ),
    "clients_secret_id": credentials.clients_arn,
    "cache_url": cache.url,
    "cache_iam_cluster": cache.group_id,
}
service = Service(
    stage=stage,
    image=image,
    settings=settings,
    roles=roles,
    logs=logs,
    network=network,
    groups=groups,
    balancer=balancer,
    firewall=firewall,
    alarms=deployment_alarms,
    opts=opts,
)
Scaling(stage=stage, service=service, opts=opts)
stops = Stops(stage=stage, key=key, service=service, opts=opts)
alarms = Alarms(
    stage=stage,
    topic=topic,
    balancer=balancer,
    firewall=firewall,
    service=service,
    stops=stops,
    cache=cache,
    logs=logs,
    opts=opts,
)
dashboard = Dashboard(
    stage=stage,
    balancer=balancer,
    firewall=firewall,
    service=service,
    cache=cache,
    alarm_arns=[*deployment_alarms.arns, *alarms.arns],
    opts=opts,
)

pulumi.export("url", balancer.url)
pulumi.export("region", stage.region)
pulumi.export("cluster", service.cluster_name)
pulumi.export("service", service.service_name)
pulumi.export("openaiSecretArn", credentials.openai_arn)
pulumi.export("clientsSecretArn", credentials.clients_arn)
pulumi.export("cacheEndpoint", cache.endpoint)
pulumi.export("image", image.ref)
pulumi.export("logGroup", logs.app_name)
pulumi.export("dashboard", dashboard.url)
pulumi.export("loadBalancerArn", balancer.arn)
if image.repository_url is not None:
    pulumi.export("repository", image.repository_url)
