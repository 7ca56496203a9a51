"""Tables of facts: dated, sourced, and complete for what the stacks use."""

import ast
import re
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.core.problems import Refusal
from virtci.core.roles import role_definition_id
from virtci.core.sizes import is_offered, regions, regions_of, size
from virtci.core.tables import DATA, table

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted(path.stem for path in DATA.glob("*.json"))
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))
FAMILIES = {
    "Standard_D8s_v3": "standardDSv3Family", "Standard_D8s_v4": "standardDSv4Family", "Standard_D8s_v5": "standardDSv5Family",
    "Standard_D4ds_v5": "standardDDSv5Family", "Standard_D8as_v5": "standardDASv5Family",
    "Standard_D8ads_v5": "standardDADSv5Family", "Standard_D8ls_v5": "standardDLSv5Family",
    "Standard_D8ps_v5": "standardDPSv5Family", "Standard_E8s_v5": "standardESv5Family", "Standard_E8ds_v5": "standardEDSv5Family",
    "Standard_F8s_v2": "standardFSv2Family", "Standard_D8s_v6": "StandardDsv6Family", "Standard_D8ds_v6": "StandardDdsv6Family",
    "Standard_B4s_v2": "standardBsv2Family",
}  # fmt: skip
GUIDS = {
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Compute Gallery Image Reader": "cf7c76d2-98a3-4358-a134-615aa78bf44d",
    "Azure Kubernetes Service Cluster User Role": "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
}
ROLE_ID = re.compile(r"/subscriptions/[^/]+/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}")


def committed_sizes(path: Path) -> Iterator[tuple[str, str]]:
    """Every size of a stack file with its region."""
    config = yaml.safe_load(path.read_text())["config"]

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (str(item) for key, item in value.items() if key == "size")
            yield from map(str, value.get("sizes", ()))
            for item in value.values():
                yield from walk(item)

    for name in walk(config):
        yield config["virt-ci:region"], name


def roles_in_components() -> set[str]:
    """The names of built-in roles that components write down: texts that become a role's id, or are named a role."""
    found: set[str] = set()
    for path in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("_built_in", "role_definition_id")):
                found |= {text for argument in node.args for text in texts(argument)}
            if (
                isinstance(node, ast.Assign)
                and not isinstance(node.value, ast.Call)
                and ast.unparse(node.targets[0]) in ("role", "administrator", "DELEGATED_ROLES")
            ):
                found |= set(texts(node.value))
    return found


def texts(node: ast.AST) -> Iterator[str]:
    for item in ast.walk(node):
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield item.value


@pytest.mark.parametrize("name", TABLES)
def test_table_carries_source_and_date(name: str) -> None:
    content = table(name)
    assert content["source"]
    assert date.fromisoformat(content["date"]).year >= 2024


@pytest.mark.parametrize(("item", "row"), table("prices")["fixed"].items())
def test_fixed_price_carries_its_own_source_and_date(item: str, row: dict[str, Any]) -> None:
    assert row["source"], item
    assert date.fromisoformat(row["date"]).year >= 2024
    assert row["monthly"] > 0


def test_there_are_tables() -> None:
    assert {"prices", "roles", "sizes"} <= set(TABLES)


@pytest.mark.parametrize(
    "path", [path for path in STACK_FILES if "-kubevirt" not in path.name], ids=lambda path: path.name
)
def test_every_size_of_a_stack_file_has_a_row_and_a_price(path: Path) -> None:
    found = list(committed_sizes(path))
    assert found
    for region, name in found:
        assert size(name).name == name
        assert is_offered(name, region), f"{name} in {region}"


@pytest.mark.parametrize(("name", "family"), FAMILIES.items())
def test_family_is_that_of_the_platform(name: str, family: str) -> None:
    assert size(name).family == family


def test_every_priced_size_has_a_row() -> None:
    rows = table("sizes")["sizes"]
    assert not {name for sizes in table("prices")["compute_hourly"].values() for name in sizes} - rows.keys()


@pytest.mark.parametrize("name", table("sizes")["sizes"])
def test_vcpu_of_a_size_is_the_number_in_its_name(name: str) -> None:
    number = re.match(r"Standard_[A-Z]+(\d+)", name)
    assert number
    assert size(name).vcpus == int(number[1])


def test_unknown_size_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Refusal) as refused:
        size("Standard_D8_v5s")
    assert refused.value.fix == "did you mean `Standard_D8s_v5`?"


def test_offers_follow_the_price_table() -> None:
    assert is_offered("Standard_D8s_v5", "westus")
    assert not is_offered("Standard_D8s_v5", "mars")
    assert not is_offered("Standard_D8s_v55", "westus")
    assert regions_of("Standard_D8s_v5") == regions() == sorted(table("prices")["compute_hourly"])
    assert regions_of("Standard_D8s_v55") == []


@pytest.mark.parametrize(("role", "guid"), GUIDS.items())
def test_role_has_the_id_that_the_platform_publishes(role: str, guid: str) -> None:
    assert role_definition_id("s", role) == f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{guid}"


def test_role_ids_are_guids_and_each_stands_once() -> None:
    guids = list(table("roles")["roles"].values())
    assert len(set(guids)) == len(guids)
    assert all(str(uuid.UUID(guid)) == guid for guid in guids)


def test_roles_that_components_use_exist() -> None:
    used = roles_in_components()
    assert {"Key Vault Secrets User", "Network Contributor", "Reader"} <= used
    for role in used:
        assert ROLE_ID.fullmatch(role_definition_id("s", role))


def test_unknown_role_is_an_error() -> None:
    with pytest.raises(KeyError):
        role_definition_id("s", "Key Vault Secret User")
