"""Who may talk to whom: the security rules of every subnet, derived from the address plan.

Runners reach an environment's SSH and Kubernetes API; environments reach the Internet and nothing else of the
network; nobody reaches a runner, but people from a range that is declared for it. Rules are stateful, so answers need no rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from virtci.core.environments import ROWS, Environment
from virtci.core.networks import AKS_API_PORT, AKS_POD_RANGE, KUBERNETES_API_PORT, SSH_PORT

RDP_PORT = 3389
ANYWHERE = "*"
VIRTUAL_NETWORK = "VirtualNetwork"
LOAD_BALANCER = "AzureLoadBalancer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of a network security group; lower priorities win."""

    name: str
    priority: int
    direction: Literal["Inbound", "Outbound"]
    access: Literal["Allow", "Deny"]
    protocol: Literal["Tcp", "*"] = "*"
    sources: tuple[str, ...] = (ANYWHERE,)
    destinations: tuple[str, ...] = (ANYWHERE,)
    ports: tuple[str, ...] = (ANYWHERE,)
    why: str


def rules(
    subnet: str, subnets: Mapping[str, IPv4Network], runners: str, entry: IPv4Network | None = None
) -> list[Rule]:
    """The rules of one subnet of the plan. `entry`: a range outside of it from which people log in to runners."""
    if subnet == runners:
        return [*_runner_rules(subnets, runners, entry), *_closed()]
    return list(_environment_rules(Environment(subnet), subnets[subnet], subnets[runners]))


def api_ports(environment: Environment) -> tuple[int, ...]:
    """The ports of an environment that runners need: a machine's SSH and k3s, a cluster's private API endpoint."""
    return (SSH_PORT, KUBERNETES_API_PORT) if ROWS[environment].compute == "machine" else (AKS_API_PORT,)


def _runner_rules(subnets: Mapping[str, IPv4Network], runners: str, entry: IPv4Network | None) -> Iterator[Rule]:
    for number, name in enumerate(sorted(subnets.keys() - {runners})):
        yield Rule(
            name=f"allow-{name}",
            priority=100 + number,
            direction="Outbound",
            access="Allow",
            protocol="Tcp",
            sources=(str(subnets[runners]),),
            destinations=(str(subnets[name]),),
            ports=_ports(api_ports(Environment(name))),
            why=f"jobs deploy to and test {name}",
        )
    if entry:
        yield Rule(
            name="allow-people",
            priority=300,
            direction="Inbound",
            access="Allow",
            protocol="Tcp",
            sources=(str(entry),),
            destinations=(str(subnets[runners]),),
            ports=_ports((SSH_PORT,)),
            why="people look at machines whose jobs failed",
        )


def _environment_rules(environment: Environment, own: IPv4Network, runners: IPv4Network) -> Iterator[Rule]:
    yield Rule(
        name="allow-runners",
        priority=100,
        direction="Inbound",
        access="Allow",
        protocol="Tcp",
        sources=(str(runners),),
        destinations=(str(own),),
        ports=_ports(api_ports(environment)),
        why="jobs on the runners deploy and test",
    )
    if ROWS[environment].compute == "cluster":
        yield from _cluster_rules(own)
    yield from _closed()


def _cluster_rules(own: IPv4Network) -> Iterator[Rule]:
    """Nodes talk to each other; the AKS overlay network sends pod addresses through the same rules."""
    inside = (str(own), str(AKS_POD_RANGE))
    for direction in ("Inbound", "Outbound"):
        yield Rule(
            name=f"allow-cluster-{direction.lower()}",
            priority=200,
            direction=direction,
            access="Allow",
            sources=inside,
            destinations=inside,
            why="nodes and pods of the cluster",
        )
    yield Rule(
        name="allow-load-balancer",
        priority=210,
        direction="Inbound",
        access="Allow",
        sources=(LOAD_BALANCER,),
        destinations=(str(own),),
        why="health probes of the platform",
    )


def _closed() -> Iterator[Rule]:
    yield Rule(
        name="deny-lateral",
        priority=4000,
        direction="Outbound",
        access="Deny",
        protocol="Tcp",
        ports=_ports((SSH_PORT, RDP_PORT)),
        why="a taken machine must not log in elsewhere",
    )
    yield Rule(
        name="deny-network",
        priority=4010,
        direction="Outbound",
        access="Deny",
        destinations=(VIRTUAL_NETWORK,),
        why="environments cannot reach each other",
    )
    yield Rule(
        name="deny-inbound",
        priority=4096,
        direction="Inbound",
        access="Deny",
        why="everything that is not allowed above; the platform's own default would admit the whole network",
    )


def _ports(ports: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(port) for port in ports)
