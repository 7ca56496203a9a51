"""What the data planes of the simulated Azure share: who calls from where, and what is written down of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from virtci.rehearsal.azure import access, tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.server import Request
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.journal import CloudError


@dataclass
class DataPlane(ABC):
    """The data plane of one resource, as callers in one place see it.

    `caller` is the principal of tokens that name nobody; where it is empty, they are refused. `subnet` (an ARM id) and
    `address` are where the callers are, for the resource's firewall. An assignment works `propagation` simulated seconds
    after it was made; each refusal for want of a role moves the simulated clock on by `seconds_per_refusal`, for callers
    that wait by another clock.
    """

    CLOUD: ClassVar[str]
    """What the journal calls the service."""
    TYPE: ClassVar[str]
    """The ARM type of the resource."""

    manager: ResourceManager
    name: str
    caller: str = ""
    subnet: str = ""
    address: str = "203.0.113.10"
    seconds_per_refusal: float = 0.0
    propagation: float = access.PROPAGATION_SECONDS

    def answer(self, request: Request) -> Response | None:
        """Answers one call; nothing when there is no such resource, because then its name leads nowhere."""
        manager, path = self.manager, unquote(urlsplit(request.target).path)
        with manager.clock.operation(), manager.store.lock:
            named = (item for item in manager.store.of_type(self.TYPE) if item.name.lower() == self.name.lower())
            resource = next(named, None)
            if resource is None:
                return None
            try:
                manager.journal.fault(self.CLOUD, request.method, path)
                response = self._carry_out(resource, request, path)
                manager.journal.fault(self.CLOUD, request.method, path, after=True)
            except CloudError as error:
                response = self._refused(error)
            manager.journal.record(self.CLOUD, request.method, path, response.status, self._code(response))
            return response

    @abstractmethod
    def _carry_out(self, resource: Record, request: Request, path: str) -> Response:
        """The answer. Raises `CloudError`."""

    @abstractmethod
    def _refused(self, error: CloudError) -> Response:
        """A refusal in the words of the service."""

    @abstractmethod
    def _code(self, response: Response) -> str:
        """The service's code of a refusal, or nothing."""

    def _holder(self, request: Request, audiences: tuple[str, ...]) -> str:
        """Whose token it is; empty when nobody is known by it. Raises `tokens.TokenError`."""
        return tokens.holder(request.bearer, audiences, self.manager.clock.now.timestamp()) or self.caller

    def _is_shut_out(self, resource: Record) -> bool:
        """Whether the resource's firewall stops callers from here."""
        rules = resource.properties.get("networkAcls") or {}
        if str(rules.get("defaultAction", "Allow")).lower() != "deny":
            return False
        if self.subnet:
            subnets = {str(item.get("id")).lower() for item in rules.get("virtualNetworkRules") or []}
            return self.subnet.lower() not in subnets
        ranges = [ip_network(item["value"], strict=False) for item in rules.get("ipRules") or []]
        return not any(ip_address(self.address) in item for item in ranges)

    def _has_role(self, principal: str, action: str, scope: str, *, data: bool) -> bool:
        """Whether a principal has a right by now."""
        store = self.manager.store
        return access.allows(store, principal, action, scope, data=data, propagation=self.propagation)


def is_public(resource: Record) -> bool:
    """Whether a resource answers on public addresses at all."""
    return str(resource.properties.get("publicNetworkAccess")).lower() != "disabled"
