"""What a box of the drawing says: the kind, the name in the cloud, and the few facts that a reviewer looks for."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from virtci.rehearsal.report.architecture import Element, Part

LABELS: Mapping[str, str] = {
    "virt-ci:vault:KeyVault": "Key Vault",
    "azure-native:operationalinsights:Workspace": "Log workspace",
    "azure-native:authorization:RoleDefinition": "Custom role",
}
TIMES = "\N{MULTIPLICATION SIGN}"
NAME_KEYS = ("roleName", "vmName", "vaultName", "environment", "budgetName")
MACHINE = "azure-native:compute:VirtualMachine"
POOL = "azure-native:containerservice:AgentPool"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
BRANCH = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
GITHUB_SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret"  # noqa: S105  a type, not a secret


def label_of(kind: str) -> str:
    """What people call a type: `virt-ci:machine:Machine` is a Machine."""
    return LABELS.get(kind) or kind.rsplit(":", 1)[-1]


def cloud_name(part: Part) -> str:
    """The name in the cloud, which people know; the logical name where there is none."""
    main = part.main
    given = next((main.inputs[key] for key in NAME_KEYS if isinstance(main.inputs.get(key), str)), None)
    return str(given or (main.id.rsplit("/", 1)[-1] if main.id.startswith("/") else main.name))


def facts_of(part: Part) -> list[str]:
    """The facts of a part, a line each; of an unknown kind, how many resources of which type it has."""
    facts = FACTS.get(part.kind, _by_kind)(part)
    return [fact for fact in facts if fact]


def count(number: int, noun: str) -> str:
    """A number and its noun in the right form."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def at(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or nothing where there is none."""
    value: Any = values
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def listed(values: Mapping[str, Any], path: str) -> list[Any]:
    """The list at a dotted path, or an empty one."""
    value = at(values, path)
    return value if isinstance(value, list) else []


def _by_kind(part: Part) -> list[str]:
    counts = Counter(label_of(item.kind) for item in part.elements)
    return [count(number, name) for name, number in sorted(counts.items())] if len(part.elements) > 1 else []


def _machine(part: Part) -> list[str]:
    inputs = part.main.inputs
    subnets = {
        str(at(item, "subnet.id")).rsplit("/", 1)[-1]
        for nic in part.of("azure-native:network:NetworkInterface")
        for item in listed(nic.inputs, "ipConfigurations")
        if isinstance(item, Mapping)
    }
    return [
        str(at(inputs, "hardwareProfile.vmSize") or ""),
        str(at(inputs, "tags.lifetime") or ""),
        f"subnet {', '.join(sorted(subnets))}" if subnets else "",
        _own_identity(part),
    ]


def _own_identity(part: Part) -> str:
    principals = {item.outputs.get("principalId") for item in part.of(IDENTITY)}
    roles = sum(item.inputs.get("principalId") in principals for item in part.of(ASSIGNMENT))
    own = "own identity" if principals else ""
    return f"{own}, {count(roles, 'role')}" if own and roles else own


def _cluster(part: Part) -> list[str]:
    inputs = part.main.inputs
    access = "private API" if at(inputs, "apiServerAccessProfile.enablePrivateCluster") else "public API"
    pools = [pool for pool in listed(inputs, "agentPoolProfiles") if isinstance(pool, Mapping)]
    return [
        f"Kubernetes {inputs.get('kubernetesVersion')}, {access}",
        str(at(inputs, "tags.lifetime") or ""),
        *(_pool(pool.get("name"), pool) for pool in pools),
        *(_pool(pool.inputs.get("agentPoolName"), pool.inputs) for pool in part.of(POOL)),
        _own_identity(part),
    ]


def _pool(name: object, pool: Mapping[str, Any]) -> str:
    scaled = pool.get("enableAutoScaling")
    nodes = f"{pool.get('minCount')} to {pool.get('maxCount')}" if scaled else f"{pool.get('count')}"
    return f"{name}: {nodes} {TIMES} {pool.get('vmSize')}"


def _network(part: Part) -> list[str]:
    subnets = [item for item in listed(part.main.inputs, "subnets") if isinstance(item, Mapping)]
    gateways = part.of("azure-native:network:NatGateway")
    return [
        ", ".join(map(str, listed(part.main.inputs, "addressSpace.addressPrefixes"))),
        *(f"{item.get('name')} {item.get('addressPrefix')}" for item in subnets),
        "out through one NAT gateway" if gateways else "",
    ]


def _vault(part: Part) -> list[str]:
    inputs = part.main.inputs
    rules = len(listed(inputs, "properties.networkAcls.virtualNetworkRules"))
    closed = at(inputs, "properties.networkAcls.defaultAction") == "Deny"
    return [
        "role-based access" if at(inputs, "properties.enableRbacAuthorization") else "access policies",
        f"open to {count(rules, 'subnet')} only" if closed else "open to all networks",
        "purge protection" if at(inputs, "properties.enablePurgeProtection") else "no purge protection",
    ]


def _identity(part: Part) -> list[str]:
    return [
        f"trusts {count(len(part.of(CREDENTIAL)), 'OIDC subject')}" if part.of(CREDENTIAL) else "",
        count(len(part.of(ASSIGNMENT)), "role assignment"),
    ]


def _environment(part: Part) -> list[str]:
    reviewers = [item.get("users") for item in listed(part.main.inputs, "reviewers") if isinstance(item, Mapping)]
    people = sum(len(users) for users in reviewers if isinstance(users, list))
    variables = {item.inputs.get("variableName"): item.inputs.get("value") for item in part.of(VARIABLE)}
    kept = [(len(part.of(VARIABLE)), "variable"), (len(part.of(GITHUB_SECRET)), "secret")]
    return [
        f"in {part.main.inputs.get('repository')}",
        count(people, "reviewer"),
        count(len(part.of(BRANCH)), "branch pattern"),
        ", ".join(count(number, noun) for number, noun in kept if number),
        f"hypervisor {variables['HYPERVISOR']}" if "HYPERVISOR" in variables else "",
        f"gate {variables['FEATURE_GATES']}" if "FEATURE_GATES" in variables else "",
    ]


def _budget(part: Part) -> list[str]:
    return [f"{part.main.inputs.get('amount'):,.0f} USD a month"] if _is_number(part.main, "amount") else []


def _is_number(item: Element, key: str) -> bool:
    return isinstance(item.inputs.get(key), int | float)


def _role(part: Part) -> list[str]:
    permissions = [item for item in listed(part.main.inputs, "permissions") if isinstance(item, Mapping)]
    actions = sum(len(listed(item, key)) for item in permissions for key in ("actions", "dataActions"))
    return [count(actions, "action")]


def _workspace(part: Part) -> list[str]:
    days = part.main.inputs.get("retentionInDays")
    return [f"kept {days} days"] if days else []


FACTS: Mapping[str, Callable[[Part], list[str]]] = {
    "virt-ci:machine:Machine": _machine,
    "virt-ci:cluster:Cluster": _cluster,
    "virt-ci:network:Network": _network,
    "virt-ci:vault:KeyVault": _vault,
    "virt-ci:identity:Identity": _identity,
    "virt-ci:github:Environment": _environment,
    "virt-ci:cost:Budget": _budget,
    "azure-native:authorization:RoleDefinition": _role,
    "azure-native:operationalinsights:Workspace": _workspace,
}
