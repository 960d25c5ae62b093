"""The stage's cache."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import elasticache

from infra.config.stage import Stage
from infra.groups import VALKEY, Groups
from infra.keys import EncryptionKey
from infra.network import Network

ENGINE, VERSION, FAMILY = "valkey", "8.2", "valkey8"
ACCESS = (
    "on ~cache:* ~ledger:* ~usage:* -@all +@connection -@dangerous +info +evalsha +script|load +time +get +set +expire"
    " +hget +hmget +hgetall +hset +hlen +hincrby +sadd +smembers +zadd +zrem +zscore +zrangebyscore"
)
"""What the app may do: keep answers, and count what requests use. It cannot look for keys, empty the cache or change its settings."""


class Cache(ComponentResource):
    """ElastiCache for Valkey: one primary, and replicas in other zones that take over when there are any.

    Its connections are TLS only, and the app proves who it is with its IAM role, so there is no password that could leak or must be
    rotated. The group of users has the app's and nobody else: in a Valkey group there is no default user to shut out. Keys that expire
    make room for others when memory is full; those without an expiry (epochs of the cache, budgets, holds) are never evicted. There are no
    snapshots: an old state would count wrong, replicas keep the present one, and what each request used stands in the app's log, too.
    """

    arn: Output[str]
    user_arn: Output[str]
    group_id: Output[str]
    endpoint: Output[str]
    url: Output[str]
    nodes: list[Output[str]]
    """What metrics are found by: AWS numbers the nodes of a group, also those that it replaces."""

    def __init__(self, *, stage: Stage, key: EncryptionKey, network: Network, groups: Groups, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:cache:Cache", "cache", None, opts)
        child = ResourceOptions(parent=self)
        subnets = elasticache.SubnetGroup(
            "cache",
            description=stage.label,
            subnet_ids=network.private_subnet_ids,
            opts=ResourceOptions(parent=self, replacement_trigger=network.vpc_id),  # AWS does not move one into another network
        )
        parameters = elasticache.ParameterGroup(
            "cache",
            description=stage.label,
            family=FAMILY,
            parameters=[elasticache.ParameterGroupParameterArgs(name="maxmemory-policy", value="volatile-lru")],
            opts=child,
        )
        user = elasticache.User(
            "cache",
            user_id=f"{stage.label}-app",  # IAM authentication wants the two alike
            user_name=f"{stage.label}-app",
            engine=ENGINE,
            access_string=ACCESS,
            authentication_mode=elasticache.UserAuthenticationModeArgs(type="iam"),
            opts=child,
        )
        users = elasticache.UserGroup("cache", user_group_id=stage.label, engine=ENGINE, user_ids=[user.user_id], opts=child)
        spread = stage.cache_replicas > 0
        group = elasticache.ReplicationGroup(
            "cache",
            replication_group_id=stage.label,
            description=f"{stage.label}: answers and counters",
            engine=ENGINE,
            engine_version=VERSION,
            node_type=stage.cache_node_type,
            num_cache_clusters=1 + stage.cache_replicas,
            automatic_failover_enabled=spread,
            multi_az_enabled=spread,
            port=VALKEY,
            parameter_group_name=parameters.name,
            subnet_group_name=subnets.name,
            security_group_ids=[groups.cache_id],
            user_group_ids=[users.user_group_id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=key.arn,
            auto_minor_version_upgrade=True,
            apply_immediately=True,
            opts=ResourceOptions(parent=self, protect=stage.protect, delete_before_replace=True),  # its id is taken as long as it is there
        )
        self.arn, self.user_arn, self.group_id = group.arn, user.arn, group.replication_group_id
        self.nodes = [Output.concat(self.group_id, f"-{number:03}") for number in range(1, 2 + stage.cache_replicas)]
        self.endpoint = group.primary_endpoint_address
        self.url = Output.concat("rediss://", user.user_name, "@", self.endpoint, ":", str(VALKEY))
        self.register_outputs({"endpoint": self.endpoint})
