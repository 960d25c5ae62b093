from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pytest
from hypothesis import given, strategies as st

from infra.config.subnets import layout, network


@st.composite
def cidrs(draw: st.DrawFn) -> str:
    prefix = draw(st.integers(min_value=16, max_value=22))
    private = IPv4Network(draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])))
    index = draw(st.integers(min_value=0, max_value=2 ** (prefix - private.prefixlen) - 1))
    return f"{private.network_address + index * 2 ** (32 - prefix)}/{prefix}"


@given(cidrs(), st.integers(min_value=1, max_value=3))
def test_subnets_lie_in_the_network_and_never_overlap(cidr: str, zones: int) -> None:
    found = layout(cidr, zones)
    ranges = [IPv4Network(text) for text in (*found.public, *found.private)]
    assert len(found.public) == len(found.private) == zones
    assert all(one.subnet_of(IPv4Network(cidr)) for one in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    assert all(one.prefixlen <= 26 for one in ranges), "a balancer wants a /27 or larger"


@given(cidrs(), st.integers(min_value=1, max_value=2))
def test_one_more_zone_moves_none_of_the_others(cidr: str, zones: int) -> None:
    before, after = layout(cidr, zones), layout(cidr, zones + 1)
    assert after.public[:zones] == before.public
    assert after.private[:zones] == before.private


@given(cidrs(), st.integers(min_value=1, max_value=3))
def test_every_zone_has_the_same_room_and_tasks_have_most_of_it(cidr: str, zones: int) -> None:
    found = layout(cidr, zones)
    public, private = ({IPv4Network(text).num_addresses for text in texts} for texts in (found.public, found.private))
    assert private == {IPv4Network(cidr).num_addresses // 4}
    assert public == {IPv4Network(cidr).num_addresses // 16}


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_range_is_taken_exactly_where_aws_takes_it(address: int, prefix: int) -> None:
    cidr = f"{IPv4Address(address)}/{prefix}"
    on_its_boundary = address % 2 ** (32 - prefix) == 0
    try:
        taken = network(cidr) == IPv4Network(cidr)
    except ValueError:
        taken = False
    assert taken == (on_its_boundary and 16 <= prefix <= 22 and IPv4Network(cidr).is_private)


@given(cidrs())
def test_a_private_range_is_taken(cidr: str) -> None:
    assert str(network(cidr)) == cidr


def test_the_layout_of_the_default_network() -> None:
    found = layout("10.0.0.0/16", 3)
    assert found.private == ("10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18")
    assert found.public == ("10.0.192.0/20", "10.0.208.0/20", "10.0.224.0/20")


@pytest.mark.parametrize("cidr", ["", "10.0.0.0", "10.0.0.0/8", "10.0.0.0/23", "10.0.1.0/16", "8.8.0.0/16", "fd00::/16", "10.0.0.0/x"])
def test_a_network_that_does_not_fit_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match="must be a private IPv4 range from /16 to /22"):
        network(cidr)


@pytest.mark.parametrize("zones", [0, 4])
def test_a_number_of_zones_that_does_not_fit_is_refused(zones: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to 3"):
        layout("10.0.0.0/16", zones)
