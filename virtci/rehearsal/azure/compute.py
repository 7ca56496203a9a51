"""Virtual machines, their disks and power."""

import base64
import binascii
from collections.abc import Iterator

from virtci.rehearsal.azure import disks, errors, galleries, identity, ids, images, network, quota, tables
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, at
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

LONGEST_CUSTOM_DATA = 87380
# The compute service refuses changes of these; the provider itself asks for no replacement.
IMMUTABLE = (
    "osProfile.adminUsername",
    "osProfile.computerName",
    "osProfile.customData",
    "osProfile.linuxConfiguration.disablePasswordAuthentication",
    "osProfile.linuxConfiguration.ssh",
    "storageProfile.imageReference",
    "storageProfile.osDisk.createOption",
    "storageProfile.osDisk.name",
    "priority",
    "securityProfile.securityType",
)
SERIAL_LOGS = "/serial-logs/"
FORBIDDEN_USERS = {"admin", "administrator", "root", "guest", "test", "user", "console", "sys", "sql", "support"}


def _check(write: Write) -> None:
    size = str((write.properties.get("hardwareProfile") or {}).get("vmSize") or "")
    if not size:
        raise _invalid("Required parameter 'hardwareProfile.vmSize' is missing (null).")
    if write.old:
        _check_immutable(write, write.old)
    check_size(size, write.location)
    _check_zones(write)
    _check_spot(write)
    storage = write.properties.get("storageProfile") or {}
    if at(storage, "osDisk.createOption") == "Attach":
        disks.check_attached(write, storage["osDisk"])
    images.check(write.store, storage.get("imageReference") or {}, write.location)
    _check_os_profile(write.properties.get("osProfile") or {})
    _check_interfaces(write, size)
    demand = quota.Demand(size, 1, write.properties.get("priority") == "Spot")
    short = quota.shortage(write.store, write.location, [demand], instead_of=write.address.id)
    if short:
        raise short.refusal


def _invalid(message: str) -> CloudError:
    return errors.bad("InvalidParameter", message)


def check_size(size: str, region: str) -> None:
    """Refuses sizes that do not exist or that the region does not offer."""
    if tables.size(size) is None:
        raise _invalid(f"The value {size} provided for the VM size is not valid.")
    if not tables.offers(region, size):
        text = (
            f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' is "
            f"currently not available in location '{region}'. Please try another size or deploy to a different "
            "location or different zone. See https://aka.ms/azureskunotavailable for details."
        )
        raise errors.conflict("SkuNotAvailable", text)


def _check_immutable(write: Write, old: Record) -> None:
    for path in IMMUTABLE:
        after = at(write.properties, path)
        if after is not None and after not in (at(old.asked.get("properties"), path), at(old.properties, path)):
            raise errors.conflict("PropertyChangeNotAllowed", f"Changing property '{path}' is not allowed.")
    if list(write.body.get("zones") or []) != list(old.asked.get("zones") or []):
        raise errors.conflict("PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.")


def _check_zones(write: Write) -> None:
    known = write.store.scenario.zones.get(write.location.lower(), ())
    for zone in write.body.get("zones") or []:
        if not known:
            text = f"The resource '{write.address.name}' does not support availability zones at location '{write.location}'."
            raise errors.bad("LocationNotSupportAvailabilityZones", text)
        if zone not in known:
            text = (
                f"The zone(s) '{zone}' for resource '{write.address.name}' is not supported. The supported zones for "
                f"location '{write.location}' are '{','.join(known)}'"
            )
            raise errors.bad("InvalidAvailabilityZone", text)


def _check_spot(write: Write) -> None:
    asked = write.properties
    if asked.get("priority") == "Spot":
        price = at(asked, "billingProfile.maxPrice")
        if price is not None and price != -1 and price <= 0:
            raise _invalid(f"The value '{price}' of 'billingProfile.maxPrice' must be -1 or greater than 0.")
        return
    for name in ("evictionPolicy", "billingProfile"):
        if asked.get(name) is not None:
            raise _invalid(f"Property '{name}' can be set only for machines of priority Spot.")


def _check_os_profile(profile: Values) -> None:
    if str(profile.get("adminUsername", "")).lower() in FORBIDDEN_USERS:
        raise _invalid("The Admin Username specified is not allowed.")
    data = profile.get("customData")
    if data is not None and not _is_custom_data(str(data)):
        raise _invalid(
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of "
            f"{LONGEST_CUSTOM_DATA} characters."
        )


def _is_custom_data(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return len(text) <= LONGEST_CUSTOM_DATA


def _check_interfaces(write: Write, size: str) -> None:
    asked = _interfaces(write.properties)
    if not asked:
        raise _invalid("Required parameter 'networkProfile' is missing (null).")
    most = int((tables.size(size) or {}).get("max_nics", len(asked)))
    if len(asked) > most:
        text = (
            f"The number of network interfaces for virtual machine {write.address.name} exceeds the maximum allowed "
            f"for the virtual machine size {size}. The number of network interfaces is {len(asked)} and the maximum "
            f"allowed is {most}."
        )
        raise errors.bad("NetworkInterfaceCountExceeded", text)
    if len(asked) > 1 and sum(bool((item.get("properties") or {}).get("primary")) for item in asked) != 1:
        raise errors.bad(
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {write.address.name} must have one network interface set as the primary.",
        )
    _check_interfaces_stay(write, asked)
    for item in asked:
        _check_interface_is_free(write, item)


def _interfaces(properties: Values) -> list[Values]:
    return list((properties.get("networkProfile") or {}).get("networkInterfaces") or [])


def _check_interfaces_stay(write: Write, asked: list[Values]) -> None:
    if write.old is None or write.old.notes.get("power") == "deallocated":
        return
    before = {str(item["id"]).lower() for item in _interfaces(write.old.asked["properties"])}
    if before != {str(item["id"]).lower() for item in asked}:
        text = (
            "Network interfaces can be added to or removed from virtual machine "
            f"'{write.address.name}' only while it is deallocated."
        )
        raise errors.conflict("OperationNotAllowed", text)


def _check_interface_is_free(write: Write, reference: Values) -> None:
    interface = network.interface_of(write.store, reference)
    if interface is None:
        return
    if interface.location.lower() != write.location.lower():
        text = f"Resource {interface.id} is in '{interface.location}', but {write.address.id} is in '{write.location}'."
        raise errors.bad("InvalidResourceReference", text)
    users = [
        item
        for item in write.store.of_type(quota.MACHINES)
        if item.id.lower() != write.address.id.lower()
        and interface.id.lower() in {str(used["id"]).lower() for used in _interfaces(item.properties)}
    ]
    if users:
        text = f"Network Interface {interface.id} is used by existing resource {users[0].id}."
        raise errors.bad("NicInUse", text)


def _complete(write: Write, record: Record) -> None:
    properties = record.properties
    properties["vmId"] = record.guid
    properties["timeCreated"] = write.first_made
    record.notes["power"] = write.old.notes.get("power", "running") if write.old else "running"
    identity.complete_assigned(write.store, record)
    _complete_image(write, record)
    _complete_os_disk(write, record)
    for reference in _interfaces(write.old.asked["properties"]) if write.old else []:
        network.attach(write.store, reference, None)
    for reference in _interfaces(properties):
        network.attach(write.store, reference, record.id)


def _complete_image(write: Write, record: Record) -> None:
    """A machine says which version it was made from, for as long as it is there."""
    reference = at(record.properties, "storageProfile.imageReference") or {}
    before = at(write.old.properties, "storageProfile.imageReference.exactVersion") if write.old else None
    made_from = galleries.version_for(write.store, str(reference.get("id") or ""), record.location)
    if before or made_from:
        reference["exactVersion"] = before or (made_from.name if made_from else "")


def _complete_os_disk(write: Write, record: Record) -> None:
    disk = record.properties.setdefault("storageProfile", {}).setdefault("osDisk", {"createOption": "FromImage"})
    if disk.get("diffDiskSettings"):
        return
    disk.setdefault("deleteOption", "Detach")
    managed = disk.setdefault("managedDisk", {})
    if disk.get("createOption") == "Attach":
        disk["name"] = str(managed["id"]).rsplit("/", 1)[-1]
    else:
        disk.setdefault("name", f"{record.name}_OsDisk_1_{record.guid.replace('-', '')}")
        managed["id"] = f"{ids.group_id(record.id)}/providers/{disks.DISKS}/{disk['name']}"
        if write.store.get(managed["id"]) is None:
            disks.make_system_disk(write.store, record, disk)
    found = write.store.get(managed["id"])
    if found is not None:
        disks.attach(found, record.id)
        found.body.setdefault("sku", {"name": managed.get("storageAccountType", "Standard_LRS")})


def _deleted(store: Store, record: Record) -> None:
    """Disks and interfaces go with the machine only where their delete option says so."""
    store.principals.pop(identity.principal_of(record), None)
    for reference in _interfaces(record.properties):
        if (reference.get("properties") or {}).get("deleteOption") == "Delete":
            store.drop(str(reference["id"]))
        else:
            network.attach(store, reference, None)
    for disk in _disks(record):
        found = store.get(str((disk.get("managedDisk") or {}).get("id")))
        if found and disk.get("deleteOption") == "Delete":
            store.drop(found.id)
        elif found:
            disks.detach(found)


def _disks(record: Record) -> Iterator[Values]:
    storage = record.properties.get("storageProfile") or {}
    yield storage.get("osDisk") or {}
    yield from storage.get("dataDisks") or []


def start(store: Store, record: Record) -> Values:
    """Starts a machine; one that ran already does not boot again."""
    boots = record.notes.get("power") != "running"
    record.notes["power"] = "running"
    if boots and store.booted:
        store.booted(record)
    return {}


def deallocate(_: Store, record: Record) -> Values:
    """Gives the hardware back; the quota stays used."""
    record.notes["power"] = "deallocated"
    return {}


def boot_diagnostics(store: Store, record: Record) -> Values:
    """Where the serial log of a machine is; the address is a key to it."""
    if not at(record.properties, "diagnosticsProfile.bootDiagnostics.enabled"):
        raise errors.conflict(
            "BootDiagnosticsNotEnabled", f"VM '{record.name}' does not have boot diagnostics enabled."
        )
    return {"serialConsoleLogBlobUri": f"{store.address}{SERIAL_LOGS}{record.guid}?sig=simulated"}


def serial_log(store: Store, path: str) -> str | None:
    """What a machine wrote to its serial console, by the path of its log."""
    guid = path.removeprefix(SERIAL_LOGS).partition("?")[0]
    found = [record for record in store.of_type(quota.MACHINES) if record.guid == guid]
    return str(found[0].notes.get("serial", f"{found[0].name} login: ")) if found else None


def instance_view(record: Record) -> Values:
    """The statuses that tell the power state."""
    power = record.notes.get("power", "running")
    provisioning = {"code": f"ProvisioningState/{record.state.lower()}", "level": "Info", "displayStatus": record.state}
    return {
        "statuses": [
            provisioning,
            {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
        ]
    }


def instance_view_at(store: Store, path: str) -> Values:
    """The same, at the path of a machine below the subscription."""
    machine = f"/subscriptions/{store.scenario.subscription}/{path}"
    record = store.get(machine)
    if record is None:
        raise errors.resource_not_found(ids.parse(machine))
    return instance_view(record)


def _view(_: Store, record: Record) -> Values:
    """Custom data and passwords go in and never come out."""
    profile = {
        key: value
        for key, value in (record.properties.get("osProfile") or {}).items()
        if key not in ("customData", "adminPassword")
    }
    return record.body | {"properties": record.properties | ({"osProfile": profile} if profile else {})}


HOOKS = {
    "virtual_machine": Hooks(check=_check, complete=_complete, view=_view, deleted=_deleted),
}
