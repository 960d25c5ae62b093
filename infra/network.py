"""The network that a stage lives in, whoever made it."""

from __future__ import annotations

from pulumi import ComponentResource, Output, Resource

ANYWHERE = "0.0.0.0/0"


class Network(ComponentResource):
    """What the rest of the stage needs to know of its network: one of its own (`own_network`), or one that is given (`given_network`).

    Only the balancer is in public subnets. Tasks and cache are in private ones: nothing can reach them from outside, and they reach
    out through whatever the network has for that.
    """

    own: bool
    """Whether the stage made it, and so answers for all that goes on in it."""
    vpc_id: Output[str]
    public_subnet_ids: list[Output[str]]
    private_subnet_ids: list[Output[str]]
    way_in: list[Resource]
    """What must be there before AWS lets a balancer into the public subnets."""
