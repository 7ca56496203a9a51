"""AKS clusters; their node pools are resources of their own."""

import base64
import copy

from virtci.rehearsal.azure import errors, identity, ids, pools, quota
from virtci.rehearsal.azure.rows_compute import FIXED_CLUSTER_NETWORK
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write
from virtci.rehearsal.bridge import Values

CLUSTERS = "Microsoft.ContainerService/managedClusters"
IMMUTABLE = (
    "dnsPrefix",
    "fqdnSubdomain",
    "nodeResourceGroup",
    "diskEncryptionSetID",
    "linuxProfile.adminUsername",
    *(f"networkProfile.{name}" for name in FIXED_CLUSTER_NETWORK),
)


def _check_cluster(write: Write) -> None:
    profiles = list(write.properties.get("agentPoolProfiles") or [])
    if write.old:
        pools.refuse_unless_ready(write.old)
        pools.refuse_while_stopped(write.old)
        pools.check_immutable(write.properties, write.old, IMMUTABLE)
        _check_upgrade(write.properties, write.old)
        _check_immutable_pools(write, profiles)
    else:
        _check_new_cluster(write, profiles)
    for pool in profiles:
        pools.check_pool(str(pool.get("name")), pool, write.location)
    _check_pool_names(profiles)
    _check_quota(write, profiles)


def _check_upgrade(asked: Values, old: Record) -> None:
    """A control plane goes up one minor version at a time, and never down."""
    if not asked.get("kubernetesVersion"):
        return
    now, wanted = pools.minor(old.properties["kubernetesVersion"]), pools.minor(asked["kubernetesVersion"])
    if wanted not in (now, (now[0], now[1] + 1)):
        text = f"Upgrading Kubernetes version from {now[0]}.{now[1]} to {wanted[0]}.{wanted[1]} is not allowed."
        raise errors.bad("OperationNotAllowed", text)


def _check_new_cluster(write: Write, profiles: list[Values]) -> None:
    properties = write.properties
    if not properties.get("dnsPrefix") and not properties.get("fqdnSubdomain"):
        raise pools.invalid("Required parameter dnsPrefix or fqdnSubdomain is missing (null).")
    if not write.body.get("identity") and not properties.get("servicePrincipalProfile"):
        raise pools.invalid("The cluster needs an identity or a service principal profile.")
    if not any(pool.get("mode") == "System" for pool in profiles):
        raise pools.invalid("There must be at least one agent pool of mode 'System'.")
    group = _node_group(write.address.id, properties, write.location)
    if write.store.get(group):
        text = f"The node resource group '{ids.group_of(group)}' exists already; it must not."
        raise errors.conflict("NodeResourceGroupAlreadyExists", text)


def _check_pool_names(profiles: list[Values]) -> None:
    names = [str(pool.get("name")) for pool in profiles]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise pools.invalid(f"The agent pool name '{double}' is used more than once.")


def _check_immutable_pools(write: Write, profiles: list[Values]) -> None:
    for pool in profiles:
        record = write.store.get(f"{write.address.id}/agentPools/{pool.get('name')}")
        if record is not None:
            pools.check_immutable(pool, record, pools.IMMUTABLE)


def _check_quota(write: Write, profiles: list[Values]) -> None:
    """Only what comes on top of the pools that exist."""
    demands = []
    for pool in profiles:
        old = write.store.get(f"{write.address.id}/agentPools/{pool.get('name')}")
        more = int(pool.get("count") or 1) - (quota.demand_of(old).count if old else 0)
        demands.append(quota.Demand(str(pool.get("vmSize")), max(more, 0), pool.get("scaleSetPriority") == "Spot"))
    short = quota.shortage(write.store, write.location, demands)
    if short:
        raise short.cluster_refusal


def _begin_pools(write: Write, record: Record) -> None:
    """Inline pools become resources of their own; separate ones stay as they are."""
    for pool in record.properties.pop("agentPoolProfiles", None) or []:
        pool_id = f"{record.id}/agentPools/{pool['name']}"
        old = write.store.get(pool_id)
        properties = {key: value for key, value in pool.items() if key != "name"}
        found = write.store.add(old.id if old else pool_id, {"properties": properties})
        found.asked = {"properties": copy.deepcopy(properties)}
        pools.complete(write.store, found, old)
        found.state = record.state


def _begin_cluster(write: Write, record: Record) -> None:
    if write.old:
        record.state = "Scaling" if _scales(write) else "Updating"
    _begin_pools(write, record)


def _scales(write: Write) -> bool:
    before = (write.old.asked.get("properties") or {}) if write.old else {}
    known = {str(pool.get("name")): pool for pool in before.get("agentPoolProfiles") or []}
    return any(known.get(str(pool.get("name"))) != pool for pool in write.properties.get("agentPoolProfiles") or [])


def _complete_cluster(write: Write, record: Record) -> None:
    store, properties = write.store, record.properties
    for pool in store.of_type(quota.POOLS, record.id):
        pool.state = "Succeeded"
    identity.complete_assigned(store, record)
    version = str(properties.setdefault("kubernetesVersion", pools.DEFAULT_VERSION))
    host = f"{properties.get('dnsPrefix') or properties.get('fqdnSubdomain')}-{record.guid[:8]}"
    region = f"{record.location}.azmk8s.io"
    private = bool((properties.get("apiServerAccessProfile") or {}).get("enablePrivateCluster"))
    group = _node_group(record.id, properties, record.location)
    properties |= {
        "currentKubernetesVersion": version,
        "fqdn": f"{host}.hcp.{region}",
        "azurePortalFQDN": f"{host}.portal.hcp.{region}",
        "nodeResourceGroup": ids.group_of(group),
        "powerState": {"code": "Running"},
        "maxAgentPools": 100,
        "resourceUID": record.guid,
    }
    if private:
        properties["privateFQDN"] = f"{host}.{record.guid}.privatelink.{region}"
    if (properties.get("oidcIssuerProfile") or {}).get("enabled"):
        issuer = f"https://{record.location}.oic.prod-aks.azure.com/{store.scenario.tenant}/{record.guid}/"
        properties["oidcIssuerProfile"]["issuerURL"] = issuer
    _complete_node_group(store, record, group)


def _complete_node_group(store: Store, record: Record, group: str) -> None:
    """The service keeps the nodes and the kubelet's identity in a group of its own."""
    kubelet = f"{group}/providers/{identity.IDENTITIES}/{record.name}-agentpool"
    if store.get(group) is None:
        store.add(group, {"location": record.location, "managedBy": record.id})
        store.add(kubelet, {"location": record.location})
    found = store.get(kubelet)
    if found is None:
        return
    identity.complete_own(store, found)
    record.properties.setdefault("identityProfile", {}).setdefault(
        "kubeletidentity",
        {
            "resourceId": kubelet,
            "clientId": found.properties["clientId"],
            "objectId": found.properties["principalId"],
        },
    )


def _node_group(cluster: str, properties: Values, region: str) -> str:
    address = ids.parse(cluster)
    name = properties.get("nodeResourceGroup") or f"MC_{ids.group_of(cluster)}_{address.name}_{region}"
    return f"/subscriptions/{cluster.split('/')[2]}/resourceGroups/{name}"


def _view_cluster(store: Store, record: Record) -> Values:
    profiles = [{"name": pool.name} | copy.deepcopy(pool.properties) for pool in store.of_type(quota.POOLS, record.id)]
    return record.body | {"properties": record.properties | {"agentPoolProfiles": profiles}}


def _delete_cluster(store: Store, record: Record) -> None:
    store.principals.pop(identity.principal_of(record), None)
    group = _node_group(record.id, record.properties, record.location)
    for item in store.below(group):
        store.drop(item.id)
    store.drop(group)


def credentials(store: Store, record: Record) -> Values:
    """A kubeconfig that asks Entra for a token when it is used: no credential inside."""
    host = record.properties.get("privateFQDN") or record.properties["fqdn"]
    user = f"clusterUser_{ids.group_of(record.id)}_{record.name}"
    text = f"""apiVersion: v1
kind: Config
clusters:
- name: {record.name}
  cluster:
    server: https://{host}:443
{_trust(store.cluster_authority)}contexts:
- name: {record.name}
  context:
    cluster: {record.name}
    user: {user}
current-context: {record.name}
users:
- name: {user}
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: kubelogin
      args: [get-token, --environment, AzurePublicCloud, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]
      provideClusterInfo: false
"""
    return {"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(text.encode()).decode()}]}


def _trust(authority: str) -> str:
    """The lines by which a client trusts the real cluster behind a simulated one, whose certificate has other names."""
    if not authority:
        return ""
    encoded = base64.b64encode(authority.encode()).decode()
    return f"    certificate-authority-data: {encoded}\n    tls-server-name: kubernetes\n"


def start(store: Store, record: Record) -> Values:
    """Starts the control plane and the nodes."""
    return _power(store, record, "Running")


def stop(store: Store, record: Record) -> Values:
    """Gives nodes and control plane back; what the cluster stores stays."""
    return _power(store, record, "Stopped")


def _power(store: Store, record: Record, state: str) -> Values:
    pools.refuse_unless_ready(record)
    for item in (record, *store.of_type(quota.POOLS, record.id)):
        item.properties["powerState"] = {"code": state}
    return {}


HOOKS = {
    "cluster": Hooks(
        check=_check_cluster,
        begin=_begin_cluster,
        complete=_complete_cluster,
        view=_view_cluster,
        before_delete=lambda _, record: pools.refuse_unless_ready(record),
        deleted=_delete_cluster,
    ),
}
