"""Who may talk to whom: the rules, judged packet by packet."""

import re
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.packets import INTERNET, PROBE, Packet, Plan
from virtci.core.environments import ROWS, Environment
from virtci.core.firewall import api_ports
from virtci.core.networks import AKS_POD_RANGE

RUNNERS = "runners"
SUBNETS = {
    RUNNERS: IPv4Network("10.60.0.0/24"),
    Environment.DEV.value: IPv4Network("10.60.1.0/24"),
    Environment.TEST_MSHV.value: IPv4Network("10.60.2.0/24"),
    Environment.TEST_EMULATION.value: IPv4Network("10.60.3.0/24"),
    Environment.TEST_KVM.value: IPv4Network("10.60.16.0/22"),
}
ENTRY = IPv4Network("10.90.0.0/24")
MACHINES = [name for name in Environment if ROWS[name].compute == "machine"]
CLUSTERS = [name for name in Environment if ROWS[name].compute == "cluster"]
EXPECTED = {name: {22, 6443} if ROWS[name].compute == "machine" else {443} for name in Environment}
TELLING_PORTS = sorted(
    {0, 1, 65535, *(port + near for port in (22, 80, 443, 3389, 6443, 10250) for near in (-1, 0, 1))}
)
PROTOCOLS = ("Tcp", "Udp", "Icmp")

ports = st.one_of(st.sampled_from(TELLING_PORTS), st.integers(0, 65535))
protocols = st.sampled_from(PROTOCOLS)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any choice of environments, each with a range somewhere in the network."""
    chosen = draw(st.lists(st.sampled_from([name.value for name in Environment]), unique=True, min_size=1))
    places = draw(st.permutations(range(16)))
    return Plan(
        {name: IPv4Network(f"10.60.{place}.0/24") for name, place in zip([*chosen, RUNNERS], places, strict=False)}
    )


@pytest.fixture
def plan() -> Plan:
    return Plan(SUBNETS)


def host(plan: Plan, subnet: str, number: int = 7) -> IPv4Address:
    return plan.subnets[subnet][number]


def open_ports(plan: Plan, source: IPv4Address, destination: IPv4Address, protocol: str = "Tcp") -> set[int]:
    return {port for port in TELLING_PORTS if plan.passes(Packet(source, destination, port, protocol))}


@pytest.mark.parametrize(("source", "destination"), list(permutations([name.value for name in Environment], 2)))
def test_environments_do_not_reach_each_other(plan: Plan, source: str, destination: str) -> None:
    for protocol in PROTOCOLS:
        assert open_ports(plan, host(plan, source), host(plan, destination), protocol) == set()


@pytest.mark.parametrize("environment", [name.value for name in Environment])
def test_runners_reach_exactly_the_ports_of_an_environment(plan: Plan, environment: str) -> None:
    reached = open_ports(plan, host(plan, RUNNERS), host(plan, environment))
    assert reached == EXPECTED[Environment(environment)] == set(api_ports(Environment(environment)))


@pytest.mark.parametrize("environment", [name.value for name in Environment])
@pytest.mark.parametrize("protocol", ["Udp", "Icmp"])
def test_runners_reach_environments_by_tcp_only(plan: Plan, environment: str, protocol: str) -> None:
    assert open_ports(plan, host(plan, RUNNERS), host(plan, environment), protocol) == set()


@pytest.mark.parametrize("source", [*(name.value for name in Environment), RUNNERS])
def test_nobody_reaches_a_runner(plan: Plan, source: str) -> None:
    for protocol in PROTOCOLS:
        assert open_ports(plan, host(plan, source, 9), host(plan, RUNNERS), protocol) == set()


def test_people_log_in_to_runners_from_the_range_that_is_let_in_and_from_nowhere_else() -> None:
    plan, inside, outside = Plan(SUBNETS, entry=ENTRY), ENTRY[7], IPv4Address("10.90.1.7")

    assert open_ports(plan, inside, host(plan, RUNNERS)) == {22}
    assert open_ports(plan, inside, host(plan, RUNNERS), "Udp") == set()
    assert open_ports(plan, inside, host(plan, Environment.DEV)) == set()
    assert open_ports(plan, outside, host(plan, RUNNERS)) == set()
    assert open_ports(plan, host(plan, RUNNERS), inside) == open_ports(Plan(SUBNETS), host(plan, RUNNERS), inside)


@pytest.mark.parametrize("subnet", SUBNETS)
def test_internet_reaches_nothing(plan: Plan, subnet: str) -> None:
    for protocol in PROTOCOLS:
        assert open_ports(plan, INTERNET, host(plan, subnet), protocol) == set()


@pytest.mark.parametrize("subnet", SUBNETS)
def test_everybody_reaches_the_internet_but_not_by_ssh_or_rdp(plan: Plan, subnet: str) -> None:
    assert open_ports(plan, host(plan, subnet), INTERNET) == set(TELLING_PORTS) - {22, 3389}


@pytest.mark.parametrize("subnet", MACHINES)
def test_machines_of_one_environment_are_apart(plan: Plan, subnet: Environment) -> None:
    assert open_ports(plan, host(plan, subnet), host(plan, subnet, 8)) == set()


@pytest.mark.parametrize("subnet", CLUSTERS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nodes_and_pods_of_a_cluster_reach_each_other(plan: Plan, subnet: Environment, protocol: str) -> None:
    node, other, pod = host(plan, subnet), host(plan, subnet, 8), AKS_POD_RANGE[700]
    for source, destination in permutations((node, other, pod), 2):
        assert open_ports(plan, source, destination, protocol) == set(TELLING_PORTS)


@pytest.mark.parametrize("subnet", CLUSTERS)
def test_pods_reach_no_other_subnet(plan: Plan, subnet: Environment) -> None:
    for other in SUBNETS.keys() - {subnet.value}:
        assert open_ports(plan, AKS_POD_RANGE[700], host(plan, other)) == set()


@pytest.mark.parametrize("subnet", SUBNETS)
def test_probes_of_the_platform_reach_clusters_only(plan: Plan, subnet: str) -> None:
    expected = set(TELLING_PORTS) if subnet in CLUSTERS else set()
    assert open_ports(plan, PROBE, host(plan, subnet)) == expected


@settings(max_examples=150)
@given(plan=plans(), port=ports, protocol=protocols, data=st.data())
def test_every_plan_opens_what_runners_need_and_nothing_else(
    plan: Plan, port: int, protocol: str, data: st.DataObject
) -> None:
    hosts = st.tuples(st.sampled_from(sorted(plan.subnets)), st.integers(4, 250))
    (source, first), (destination, second) = data.draw(hosts), data.draw(hosts)
    packet = Packet(host(plan, source, first), host(plan, destination, second), port, protocol)
    needed = source == RUNNERS != destination and protocol == "Tcp" and port in EXPECTED[Environment(destination)]
    same_cluster = source == destination and source in CLUSTERS
    assert plan.passes(packet) == (needed or same_cluster)


@settings(max_examples=50)
@given(plan=plans())
def test_every_group_has_legal_priorities_and_says_why(plan: Plan) -> None:
    for group in plan.groups.values():
        for direction in ("Inbound", "Outbound"):
            priorities = [rule.priority for rule in group if rule.direction == direction]
            assert len(set(priorities)) == len(priorities)
            assert all(100 <= priority <= 4096 for priority in priorities)
        assert len({rule.name for rule in group}) == len(group)
        assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,79}", rule.name) and rule.why for rule in group)


def test_no_rule_admits_any_source(plan: Plan) -> None:
    admitting = [
        rule
        for group in plan.groups.values()
        for rule in group
        if (rule.access, rule.direction) == ("Allow", "Inbound")
    ]
    assert admitting
    assert not any("*" in rule.sources or "*" in rule.destinations for rule in admitting)
