"""Virtual networks, subnets, interfaces, security groups, public addresses."""

import copy
import ipaddress
from typing import Any

from virtci.rehearsal.azure import errors
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write
from virtci.rehearsal.bridge import Values

SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
INTERFACES = "Microsoft.Network/networkInterfaces"
PUBLIC_IPS = "Microsoft.Network/publicIPAddresses"
FIRST_HOST = 4  # Azure keeps the network address and the next three for itself, and the last one
DOCUMENTATION = ipaddress.ip_network("203.0.113.0/24")
_Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def _check_virtual_network(write: Write) -> None:
    spaces = [_network(write, text) for text in write.properties.get("addressSpace", {}).get("addressPrefixes", [])]
    inline = write.properties.get("subnets") or []
    if not spaces:
        raise errors.bad("InvalidRequestFormat", f"Virtual network '{write.address.name}' has no address space.")
    for subnet in inline:
        _check_inside(write, str(subnet.get("name")), _prefixes(write, subnet.get("properties") or {}), spaces)
    _check_overlaps(write, {str(item.get("name")): _prefixes(write, item.get("properties") or {}) for item in inline})
    _check_removed_subnets(write, {str(item.get("name")).lower() for item in inline})


def _check_removed_subnets(write: Write, kept: set[str]) -> None:
    for record in write.store.of_type(SUBNETS, write.address.id):
        users = write.store.users(record)
        if record.name.lower() not in kept and users and record.row.in_use:
            text = record.row.in_use.message.format(name=record.name, users=users[0].id)
            raise errors.bad(record.row.in_use.code, text)


def _check_subnet(write: Write) -> None:
    network = write.store.get(write.address.parent)
    texts = network.properties["addressSpace"]["addressPrefixes"] if network else []
    spaces = [_network(write, text) for text in texts]
    mine = _prefixes(write, write.properties)
    _check_inside(write, write.address.name, mine, spaces)
    others = {
        item.name: _prefixes(write, item.properties)
        for item in write.store.of_type(SUBNETS, write.address.parent)
        if item.name.lower() != write.address.name.lower()
    }
    _check_overlaps(write, others | {write.address.name: mine})


def _network(write: Write, text: str) -> _Net:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        message = f"Address prefix {text} of resource {write.address.id} is invalid."
        raise errors.bad("InvalidAddressPrefixFormat", message) from None


def _prefixes(write: Write, properties: Values) -> list[_Net]:
    texts = properties.get("addressPrefixes") or [properties.get("addressPrefix")]
    return [_network(write, str(text)) for text in texts]


def _check_inside(write: Write, name: str, mine: list[_Net], spaces: list[_Net]) -> None:
    network = write.address.names[0]
    for prefix in mine:
        if not any(_contains(space, prefix) for space in spaces):
            text = f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of "
            raise errors.bad("NetcfgInvalidSubnet", f"{text}virtual network '{network}'.")


def _contains(space: _Net, prefix: _Net) -> bool:
    return prefix.network_address in space and prefix.broadcast_address in space


def _check_overlaps(write: Write, subnets: dict[str, list[_Net]]) -> None:
    flat = [(name, prefix) for name, prefixes in subnets.items() for prefix in prefixes]
    for index, (name, prefix) in enumerate(flat):
        for other, range_ in flat[:index]:
            if prefix.overlaps(range_):
                text = (
                    f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing "
                    f"subnet '{other}' in virtual network '{write.address.names[0]}'."
                )
                raise errors.bad("NetcfgSubnetRangesOverlap", text)


def _complete_virtual_network(write: Write, record: Record) -> None:
    """Inline subnets become resources of their own, so that others can refer to them."""
    inline = record.properties.pop("subnets", None) or []
    for gone in write.store.of_type(SUBNETS, record.id):
        if gone.name.lower() not in {str(item["name"]).lower() for item in inline}:
            write.store.drop(gone.id)
    for item in inline:
        subnet_id = f"{record.id}/subnets/{item['name']}"
        old = write.store.get(subnet_id)
        body = {"properties": copy.deepcopy(item.get("properties") or {})}
        subnet = write.store.add(old.id if old else subnet_id, body)
        subnet.asked = copy.deepcopy(body)
    record.properties["resourceGuid"] = record.guid


def _view_virtual_network(store: Store, record: Record) -> Values:
    subnets = [copy.deepcopy(item.body) for item in store.of_type(SUBNETS, record.id)]
    return record.body | {"properties": record.properties | {"subnets": subnets}}


def _check_network_interface(write: Write) -> None:
    configurations = write.properties.get("ipConfigurations") or []
    if not configurations:
        text = f"Network interface '{write.address.name}' needs at least one IP configuration."
        raise errors.bad("InvalidRequestFormat", text)
    for item in configurations:
        properties = item.get("properties") or {}
        _check_region(write, str((properties.get("subnet") or {}).get("id")))
        if properties.get("privateIPAllocationMethod") == "Static":
            _check_static(write, properties)
        _check_public_ip_is_free(write, properties)


def _check_region(write: Write, subnet: str) -> None:
    network = write.store.get(subnet.rsplit("/", 2)[0])
    if network is not None and network.location.lower() != write.location.lower():
        raise errors.reference_not_found("Microsoft.Network", subnet, write.address.id)


def _check_static(write: Write, properties: Values) -> None:
    asked = str(properties.get("privateIPAddress"))
    subnet = write.store.get(str((properties.get("subnet") or {}).get("id")))
    if subnet is None:
        return
    if asked in _taken(write.store, subnet, apart_from=write.address.id):
        text = f"IP configuration uses the private IP address {asked}, which is already allocated in {subnet.id}."
        raise errors.bad("PrivateIPAddressInUse", text)
    if asked not in {str(host) for host in _hosts(subnet)}:
        text = f"Private static IP address {asked} does not belong to the range of subnet {subnet.id}."
        raise errors.bad("PrivateIPAddressNotInSubnet", text)


def _check_public_ip_is_free(write: Write, properties: Values) -> None:
    public = write.store.get(str((properties.get("publicIPAddress") or {}).get("id")))
    everybody = write.store.users(public) if public else []
    users = [item for item in everybody if item.id.lower() != write.address.id.lower()]
    if public and users:
        text = f"Resource {write.address.id} is referencing public IP address {public.id} that is already allocated to "
        raise errors.bad("PublicIPAddressInUse", f"{text}resource {users[0].id}.")


def _complete_network_interface(write: Write, record: Record) -> None:
    before = _addresses(write.old) if write.old else {}
    for index, item in enumerate(record.properties["ipConfigurations"]):
        properties = item.setdefault("properties", {})
        item |= {"id": f"{record.id}/ipConfigurations/{item['name']}", "type": f"{INTERFACES}/ipConfigurations"}
        properties |= {"provisioningState": "Succeeded", "primary": properties.get("primary", index == 0)}
        properties.setdefault("privateIPAllocationMethod", "Dynamic")
        subnet = write.store.get(str((properties.get("subnet") or {}).get("id")))
        if subnet and not properties.get("privateIPAddress"):
            properties["privateIPAddress"] = before.get(item["name"]) or _next_address(write.store, subnet, record.id)
    record.properties["macAddress"] = "00-0D-3A-" + "-".join(record.guid.upper()[i : i + 2] for i in (0, 2, 4))
    record.properties.setdefault("enableAcceleratedNetworking", False)
    record.properties.setdefault("enableIPForwarding", False)
    if write.old and "virtualMachine" in write.old.properties:
        record.properties["virtualMachine"] = write.old.properties["virtualMachine"]


def _addresses(record: Record) -> dict[str, str]:
    items = record.properties.get("ipConfigurations", [])
    return {item["name"]: item.get("properties", {}).get("privateIPAddress", "") for item in items}


def _hosts(subnet: Record) -> list[Any]:
    prefix = ipaddress.ip_network(subnet.properties.get("addressPrefix") or subnet.properties["addressPrefixes"][0])
    count = min(prefix.num_addresses, 65536)
    return [prefix[index] for index in range(FIRST_HOST, count - 1)]


def _taken(store: Store, subnet: Record, apart_from: str = "") -> set[str]:
    return {
        str(item.get("properties", {}).get("privateIPAddress"))
        for record in store.of_type(INTERFACES)
        if record.id.lower() != apart_from.lower()
        for item in record.properties.get("ipConfigurations", [])
        if str((item.get("properties", {}).get("subnet") or {}).get("id")).lower() == subnet.id.lower()
    }


def _next_address(store: Store, subnet: Record, interface: str) -> str:
    taken = _taken(store, subnet)
    free = next((str(host) for host in _hosts(subnet) if str(host) not in taken), None)
    if free is None:
        text = f"Subnet {subnet.id} does not have enough capacity for 1 IP addresses, asked for by {interface}."
        raise errors.bad("SubnetIsFull", text)
    return free


def _check_public_ip(write: Write) -> None:
    sku = (write.body.get("sku") or {}).get("name", "Basic")
    if sku == "Basic":
        text = "Cannot create Basic SKU public IP addresses: they were retired on 30 September 2025. Use Standard."
        raise errors.bad("BasicSkuPublicIpRetired", text)
    if write.properties.get("publicIPAllocationMethod") != "Static":
        text = f"Standard sku publicIp {write.address.id} must have AllocationMethod set to Static."
        raise errors.bad("PublicIPAndLBSkuDoNotMatch", text)


def _complete_public_ip(write: Write, record: Record) -> None:
    taken = {item.properties.get("ipAddress") for item in write.store.of_type(PUBLIC_IPS)}
    before = write.old.properties.get("ipAddress") if write.old else None
    record.properties["ipAddress"] = before or next(str(h) for h in DOCUMENTATION.hosts() if str(h) not in taken)
    record.properties["resourceGuid"] = record.guid


def _complete_security_group(_: Write, record: Record) -> None:
    for rule in record.properties.setdefault("securityRules", []):
        rule["id"] = f"{record.id}/securityRules/{rule['name']}"
        rule.setdefault("properties", {})["provisioningState"] = "Succeeded"
    record.properties["resourceGuid"] = record.guid


def _check_security_group(write: Write) -> None:
    seen: dict[tuple[str, int], str] = {}
    for rule in write.properties.get("securityRules") or []:
        properties, name = rule.get("properties") or {}, str(rule.get("name"))
        key = (str(properties.get("direction")), int(properties.get("priority") or 0))
        if not 100 <= key[1] <= 4096:
            text = f"Security rule {name} has invalid priority {key[1]}. The priority must be between 100 and 4096."
            raise errors.bad("SecurityRuleInvalidPriority", text)
        if key in seen:
            text = f"Security rule {name} conflicts with rule {seen[key]}: same priority and direction."
            raise errors.bad("SecurityRuleConflict", text)
        seen[key] = name


def interface_of(store: Store, reference: Values) -> Record | None:
    """The interface that a machine's network profile refers to."""
    return store.get(str(reference.get("id")))


def attach(store: Store, reference: Values, machine: str | None) -> None:
    """Marks an interface as used by a machine, or as free again."""
    interface = interface_of(store, reference)
    if interface is not None and machine:
        interface.properties["virtualMachine"] = {"id": machine}
    elif interface is not None:
        interface.properties.pop("virtualMachine", None)


def _refuse_used_subnets(store: Store, record: Record) -> None:
    for subnet in store.of_type(SUBNETS, record.id):
        users, rule = store.users(subnet), subnet.row.in_use
        if users and rule:
            raise errors.bad(rule.code, rule.message.format(name=subnet.name, users=users[0].id))


HOOKS = {
    "virtual_network": Hooks(
        _check_virtual_network, _complete_virtual_network, _view_virtual_network, _refuse_used_subnets
    ),
    "subnet": Hooks(_check_subnet),
    "network_interface": Hooks(_check_network_interface, _complete_network_interface),
    "public_ip": Hooks(_check_public_ip, _complete_public_ip),
    "security_group": Hooks(_check_security_group, _complete_security_group),
}
