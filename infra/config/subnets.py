"""The layout of a network's addresses: a pure calculation, apart from the resources that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

MAX_ZONES = 3
LARGEST_PREFIX, SMALLEST_PREFIX = 16, 22
"""AWS allows no VPC above /16; below /22 a balancer's subnet would be smaller than it needs to grow."""


@dataclass(frozen=True)
class Subnets:
    """A public and a private range for each zone."""

    public: tuple[str, ...]
    private: tuple[str, ...]


def network(cidr: str) -> IPv4Network:
    """The network of that range.

    Raises:
        ValueError: it is malformed, not private, or of a size that does not fit; the message says what is allowed.
    """
    try:
        parsed = IPv4Network(cidr)
    except ValueError:
        parsed = None
    if parsed is None or not parsed.is_private or not LARGEST_PREFIX <= parsed.prefixlen <= SMALLEST_PREFIX:
        raise ValueError(
            f"must be a private IPv4 range from /{LARGEST_PREFIX} to /{SMALLEST_PREFIX} that begins on its boundary, as 10.0.0.0/16"
        )
    return parsed


def layout(cidr: str, zones: int) -> Subnets:
    """Three quarters for the tasks, one for each zone, and the last, quartered again, for the balancer.

    The place of a zone's ranges does not depend on how many zones there are: one more moves none of the others.
    """
    if not 1 <= zones <= MAX_ZONES:
        raise ValueError(f"zones = {zones}: allowed are 1 to {MAX_ZONES}")
    *quarters, last = network(cidr).subnets(prefixlen_diff=2)
    return Subnets(
        public=tuple(map(str, list(last.subnets(prefixlen_diff=2))[:zones])),
        private=tuple(map(str, quarters[:zones])),
    )
