"""The architecture that a state shows: components in their resource groups, and what depends on what."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import igraph

from virtci.core.inventory import plain_kind
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.engine import PROJECT
from virtci.rehearsal.report.masking import SECRET, masked

GROUP = "azure-native:resources:ResourceGroup"
VAULT = "azure-native:keyvault:Vault"
SECRET_KIND = "azure-native:keyvault:Secret"  # noqa: S105  a type, not a secret
ANCHORS = ("virt-ci:cluster:Cluster", "virt-ci:machine:Machine")
"""Whose environment it is: they take in the small resources that stand directly in an environment."""
SMALL = ("azure-native:authorization:RoleAssignment", SECRET_KIND)
GITHUB = "GitHub"
SUBSCRIPTION = "Subscription"
PACKAGES = {"github": GITHUB, "azure-native": SUBSCRIPTION}


@dataclass(frozen=True)
class Element:
    """One resource of a state, secrets masked, with the stack that has it."""

    stack: str
    urn: str
    kind: str
    name: str
    id: str
    parent: str
    custom: bool
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    dependencies: Mapping[str, tuple[str, ...]]
    """What it depends on, by property; the empty name stands for dependencies without one."""


@dataclass
class Part:
    """A box of the drawing: a component with all resources that belong to it, or a resource that stands alone."""

    key: str
    stack: str
    kind: str
    name: str
    parent: str
    elements: list[Element]
    group: str = ""
    twins: list["Part"] = field(default_factory=list)
    """Parts that are the same in all that is drawn; the box stands for them as well."""

    @property
    def main(self) -> Element:
        """The resource that a component is named after."""
        same = [item for item in self.elements if item.name == self.name]
        return (same or self.elements)[0]

    def of(self, kind: str) -> list[Element]:
        """Its resources of one type."""
        return [item for item in self.elements if item.kind == kind]


@dataclass(frozen=True)
class Link:
    """An arrow: the source depends on the target, for each of the reasons."""

    source: str
    target: str
    reasons: tuple[str, ...]
    implied: bool = False
    """Other arrows lead from the source to the target as well."""


@dataclass(frozen=True)
class Architecture:
    """All that is drawn."""

    parts: Mapping[str, Part]
    groups: Mapping[str, tuple[str, ...]]
    """Keys of parts by the name of the box around them."""
    links: Sequence[Link]


def architecture(results: Iterable[StackResult]) -> Architecture:
    """The architecture of all rehearsed stacks together."""
    elements = {item.urn: item for result in results for item in elements_of(result)}
    parts, owners = _parts(elements)
    reasons = _reasons(elements, owners)
    _fold_identities(parts, reasons)
    links = [Link(source, target, tuple(why)) for (source, target), why in sorted(reasons.items())]
    for part in parts.values():
        part.group = _group(part)
    links = _fold_twins(parts, links)
    groups: dict[str, list[str]] = defaultdict(list)
    for key, part in parts.items():
        groups[part.group].append(key)
    return Architecture(parts, {name: tuple(keys) for name, keys in groups.items()}, _marked(links, list(parts)))


def elements_of(result: StackResult) -> Iterator[Element]:
    """The resources of a stack's state, secrets masked."""
    for item in sorted(result.resources, key=lambda item: str(item["urn"])):
        by_property = {key: tuple(urns) for key, urns in (item.get("propertyDependencies") or {}).items() if urns}
        known = {urn for urns in by_property.values() for urn in urns}
        others = tuple(urn for urn in item.get("dependencies") or () if urn not in known)
        yield Element(
            stack=result.name,
            urn=item["urn"],
            kind=_kind(item["type"]),
            name=item["urn"].rsplit("::", 1)[-1],
            id=str(item.get("id") or ""),
            parent=item.get("parent") or "",
            custom=bool(item.get("custom")),
            inputs=masked(item.get("inputs") or {}),
            outputs=masked(item.get("outputs") or {}),
            dependencies=by_property | ({"": others} if others else {}),
        )


def _kind(token: str) -> str:
    return plain_kind(token) if token.count(":") == 2 else token


def _parts(elements: Mapping[str, Element]) -> tuple[dict[str, Part], dict[str, str]]:
    """The boxes, and to which of them each resource belongs; groups and references to stacks belong to none."""
    components = {urn for urn, item in elements.items() if not item.custom and item.kind.startswith(f"{PROJECT}:")}
    composites = {elements[urn].parent for urn in components} & components
    anchors = _anchors(elements[urn] for urn in components)
    owners: dict[str, str] = {}
    for urn, item in elements.items():
        if not item.custom or item.kind == GROUP or item.kind.startswith("pulumi:"):
            continue
        owner = item.parent if item.parent in components else urn
        if owner in composites:
            owner = _anchor(anchors.get(owner, []), item) if item.kind in SMALL else urn
        owners[urn] = owner
    parts: dict[str, Part] = {}
    for urn, key in owners.items():
        owner_element = elements[key]
        fresh = Part(key, owner_element.stack, owner_element.kind, owner_element.name, owner_element.parent, [])
        parts.setdefault(key, fresh).elements.append(elements[urn])
    return parts, owners


def _anchors(components: Iterable[Element]) -> dict[str, list[Element]]:
    """The machines and clusters of each environment, and of the hub."""
    found: dict[str, list[Element]] = defaultdict(list)
    for item in components:
        if item.kind in ANCHORS:
            found[item.parent].append(item)
    return found


def _anchor(anchors: Sequence[Element], item: Element) -> str:
    """What a small resource belongs to: the only machine, or the one whose name its own name begins with."""
    if len(anchors) == 1:
        return anchors[0].urn
    return next((anchor.urn for anchor in anchors if item.name.startswith(f"{anchor.name}-")), item.urn)


def _reasons(elements: Mapping[str, Element], owners: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    """Why one part depends on another: a resource's property, and the resource that it points to."""
    index = _index(elements)
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for urn, owner in owners.items():
        item = elements[urn]
        for prop, target in (*_declared(item), *_literal(item, index)):
            other = owners.get(target)
            if other is not None and other != owner:
                path = f"{item.name}.{prop}" if prop else item.name
                found[owner, other][f"{path} → {elements[target].name}"] = None
    return {pair: list(why) for pair, why in found.items()}


def _declared(item: Element) -> Iterator[tuple[str, str]]:
    return ((prop, urn) for prop, urns in item.dependencies.items() for urn in urns)


def _index(elements: Mapping[str, Element]) -> dict[str, str]:
    """Texts that mean one resource wherever they stand: ids, ids that the directory gave, names unique in the world."""
    found: dict[str, str] = {}
    for urn, item in elements.items():
        if item.id.startswith("/") and item.kind != GROUP:
            found[item.id.lower()] = urn
        for key in ("principalId", "clientId"):
            if item.kind.endswith(":UserAssignedIdentity") and isinstance(item.outputs.get(key), str):
                found[item.outputs[key].lower()] = urn
        if item.kind == VAULT and isinstance(item.inputs.get("vaultName"), str):
            found[item.inputs["vaultName"].lower()] = urn
    return found


def _literal(item: Element, index: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Values in the inputs that name a resource, or something inside one, such as a subnet of a network."""
    for prop, value in item.inputs.items():
        for text in _texts(value):
            path = "" if text == SECRET else text.lower()
            while path and path not in index:
                path = path.rpartition("/")[0]
            if path and index[path] != item.urn:
                yield prop, index[path]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _fold_identities(parts: dict[str, Part], reasons: dict[tuple[str, str], list[str]]) -> None:
    """An identity that one machine or cluster acts as is a part of it."""
    users: dict[str, list[str]] = defaultdict(list)
    for (source, target), why in reasons.items():
        if any(".identity → " in reason for reason in why):
            users[target].append(source)
    for identity, owners in users.items():
        if len(owners) == 1 and parts[owners[0]].kind in ANCHORS:
            parts[owners[0]].elements += parts.pop(identity).elements
            _move(reasons, identity, owners[0])


def _move(reasons: dict[tuple[str, str], list[str]], old: str, new: str) -> None:
    for pair in [pair for pair in reasons if old in pair]:
        why = reasons.pop(pair)
        source, target = (new if key == old else key for key in pair)
        if source != target:
            reasons.setdefault((source, target), []).extend(why)


def _group(part: Part) -> str:
    """The resource group that holds most of its resources, or the service where there is no such thing."""
    named = Counter(item.inputs["resourceGroupName"] for item in part.elements if _in_group(item))
    if named:
        return str(named.most_common(1)[0][0])
    package = part.main.kind.split(":")[0]
    return PACKAGES.get(package, package)


def _in_group(item: Element) -> bool:
    return isinstance(item.inputs.get("resourceGroupName"), str)


def _fold_twins(parts: dict[str, Part], links: list[Link]) -> list[Link]:
    """Machines of one kind, size and neighbourhood are one box that says how many there are."""
    around: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for link in links:
        around[link.source].add(("to", link.target))
        around[link.target].add(("from", link.source))
    families: dict[Any, list[str]] = defaultdict(list)
    for key, part in parts.items():
        if part.kind in ANCHORS:
            shape = tuple(sorted(Counter(item.kind for item in part.elements).items()))
            size = str(part.main.inputs.get("hardwareProfile"))
            families[part.kind, part.parent, part.group, shape, size, frozenset(around[key])].append(key)
    gone: dict[str, str] = {}
    for first, *others in families.values():
        for other in others:
            parts[first].twins.append(parts.pop(other))
            gone[other] = first
    return _merged(links, gone)


def _merged(links: Iterable[Link], gone: Mapping[str, str]) -> list[Link]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for link in links:
        found[gone.get(link.source, link.source), gone.get(link.target, link.target)] += link.reasons
    return [Link(source, target, tuple(why)) for (source, target), why in found.items() if source != target]


def _marked(links: list[Link], keys: list[str]) -> list[Link]:
    """Marks what other arrows imply, one after the other, so that whatever was connected stays connected."""
    numbers = {key: number for number, key in enumerate(keys)}
    graph = igraph.Graph(len(keys), [(numbers[item.source], numbers[item.target]) for item in links], directed=True)
    marked = []
    for link in links:
        edge = graph.get_eid(numbers[link.source], numbers[link.target])
        graph.delete_edges(edge)
        implied = numbers[link.target] in graph.subcomponent(numbers[link.source], mode="out")
        if not implied:
            graph.add_edge(numbers[link.source], numbers[link.target])
        marked.append(Link(link.source, link.target, link.reasons, implied))
    return marked
