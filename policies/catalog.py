"""All policies."""

from __future__ import annotations

from policies.policy import Policy
from policies.rules import (
    alarms,
    balancer,
    bucket,
    cache,
    container,
    credentials,
    data,
    firewall,
    grants,
    groups,
    identity,
    image,
    network,
    service,
    stage,
)

_ABOUT: tuple[Policy, ...] = (
    *stage.POLICIES,
    *network.POLICIES,
    *groups.POLICIES,
    *balancer.POLICIES,
    *firewall.POLICIES,
    *service.POLICIES,
    *container.POLICIES,
    *credentials.POLICIES,
    *identity.POLICIES,
    *grants.POLICIES,
    *data.POLICIES,
    *cache.POLICIES,
    *bucket.POLICIES,
    *image.POLICIES,
    *alarms.POLICIES,
)
POLICIES = (*_ABOUT, stage.known_type(frozenset(kind for policy in _ABOUT for kind in policy.on) - {"*"}))
