"""The templates of Packer, as far as they can be judged without it: HCL, options, variables, and what must be in them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest

from virtci.core.runners.clouds import UNIT_VCPUS, Cloud
from virtci.core.runners.images import IMAGE_TAG, STATE_TAG, VERSION_TAG, State, Version
from virtci.core.tables import table
from virtci.core.tags import REQUIRED
from virtci.fleet.runners.image_inputs import packer_variables
from virtci.places import ROOT, stack_file
from virtci.settings.load import from_file
from virtci.settings.runners import AwsPlace, AzurePlace

KNOWN = json.loads((Path(__file__).parent / "packer-options.json").read_text())
FOLDERS = {Cloud.AZURE: ROOT / "cloud" / "azure", Cloud.EC2: ROOT / "cloud" / "aws"}
BOXES = [ROOT / "tools" / "hashicorp" / "ami", ROOT / "tools" / "hashicorp" / "boxes"]
ALL = [*FOLDERS.values(), *BOXES]
SECRETS = re.compile(r"(?i)(password|secret|token|access_key|private_key|client_jwt|client_cert)")
GENERAL = {"only", "except", "override", "pause_before", "max_retries", "timeout"}
"""Options of every provisioner (Packer, docs/templates/hcl_templates/blocks/build/provisioner)."""


class Template:
    """The files of a folder, as one template: Packer reads them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = "\n".join(path.read_text() for path in sorted(folder.glob("*.pkr.hcl")))
        self.content = plain(hcl2.loads(self.text))

    def blocks(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Type, name and content of sources and data sources."""
        for item in self.content.get(kind, ()):
            for type_, named in item.items():
                for name, body in named.items():
                    yield type_, name, body

    def source(self, name: str) -> dict[str, Any]:
        return next(body for _, found, body in self.blocks("source") if found == name)

    def provisioners(self, build: str = "") -> list[tuple[str, dict[str, Any]]]:
        builds = [item for item in self.content["build"] if not build or item.get("name") == build]
        return [pair for item in builds for step in item.get("provisioner", ()) for pair in step.items()]

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        return {name: body for item in self.content["variable"] for name, body in item.items()}


def plain(node: Any) -> Any:
    """Without the parser's quotes and marks."""
    if isinstance(node, dict):
        return {plain(key): plain(value) for key, value in node.items() if not key.startswith("__")}
    if isinstance(node, list):
        return [plain(item) for item in node]
    quoted = isinstance(node, str) and len(node) > 1 and node[0] == node[-1] == '"'
    return node[1:-1] if quoted else node


@pytest.fixture(params=ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def template(request: pytest.FixtureRequest) -> Template:
    return Template(request.param)


@pytest.fixture(params=list(Cloud))
def image(request: pytest.FixtureRequest) -> Template:
    return Template(FOLDERS[request.param])


def unknown(body: Mapping[str, Any], options: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in body.items():
        if name == "dynamic":
            for label, part in (pair for item in value for pair in item.items()):
                yield from unknown({label: part["content"]}, options, where)
        elif name not in options:
            yield f"{where}.{name}"
        elif options[name] and isinstance(value, list):
            for part in value:
                yield from unknown(part, options[name], f"{where}.{name}")


def test_every_option_is_one_that_packer_and_its_plugins_know(template: Template) -> None:
    found = [
        fault
        for kind in ("source", "data")
        for type_, name, body in template.blocks(kind)
        for fault in unknown(body, KNOWN["blocks"][f"{kind} {type_}"], f"{kind}.{type_}.{name}")
    ]
    for kind, body in template.provisioners():
        options = {**KNOWN["blocks"][f"provisioner {kind}"], **dict.fromkeys(GENERAL)}
        found += unknown(body, options, f"provisioner.{kind}")
    assert found == []


def test_every_function_is_one_that_packer_has(template: Template) -> None:
    lines = [line.strip() for line in template.text.splitlines()]
    code = [line for line in lines if not line.startswith(("//", "description", "error_message"))]
    called = set(re.findall(r"(?<![\w.])([a-z][a-z0-9_]*)\(", "\n".join(code))) - {"list", "map"}
    assert called <= set(KNOWN["functions"])


def test_every_variable_is_used_and_every_one_that_is_used_is_declared(template: Template) -> None:
    bodies = re.sub(r'variable "\w+" \{.*?\n\}', "", template.text, flags=re.DOTALL)
    assert set(re.findall(r"\bvar\.(\w+)", bodies)) == set(template.variables)
    declared = {name for item in template.content.get("locals", ()) for name in item}
    assert set(re.findall(r"\blocal\.(\w+)", bodies)) == declared


def test_every_source_is_built_and_every_build_has_its_source(template: Template) -> None:
    sources = {f"source.{type_}.{name}" for type_, name, _ in template.blocks("source")}
    assert {source for build in template.content["build"] for source in build["sources"]} == sources


def test_variables_say_what_they_are(template: Template) -> None:
    assert [name for name, body in template.variables.items() if not body.get("description")] == []


def test_plugins_are_pinned_to_one_version(template: Template) -> None:
    plugins = [item for packer in template.content["packer"] for item in packer["required_plugins"]]
    versions = {name: body["version"] for item in plugins for name, body in item.items()}
    assert versions
    for name, version in versions.items():
        assert version == KNOWN["versions"][f"packer-plugin-{name}"]


def test_nothing_holds_a_credential(template: Template) -> None:
    assert [name for name in template.variables if SECRETS.search(name)] == []
    for _, name, body in template.blocks("source"):
        assert [option for option in body if SECRETS.search(option)] == [], name
    assert not re.search(r"(?i)\benv\(", template.text), "the environment of Packer is no place for them either"


def test_files_that_are_uploaded_are_there(template: Template) -> None:
    uploads = [body for kind, body in template.provisioners() if kind == "file" and body.get("direction") != "download"]
    paths = [path for body in uploads for path in body.get("sources", [body.get("source")])]
    for path in paths:
        found = path.replace("${path.root}", str(template.folder))
        assert "${" in found or Path(found).exists(), path


def test_the_image_is_generalised_last_and_nobody_comes_back(image: Template) -> None:
    kind, last = image.provisioners("image")[-1]
    assert kind == "shell"
    assert last["inline"] == ["bash ${local.scripts}/image-generalise.sh"]
    assert last["skip_clean"] == "true" or last["skip_clean"] is True


def test_parts_and_sbom_are_brought_back_before_that(image: Template) -> None:
    fetched = [body for kind, body in image.provisioners("image") if body.get("direction") == "download"]
    assert [Path(path).name for body in fetched for path in body["sources"]] == ["image.json", "sbom.json"]


def test_a_build_is_a_candidate_under_its_version(image: Template) -> None:
    (local,) = image.content["locals"]
    tags = re.sub(r"\s+", " ", local["tags"])
    for name, value in ((IMAGE_TAG, "var.image_name"), (VERSION_TAG, "var.image_version")):
        assert re.search(rf"\b{name} = {re.escape(value)}\b", tags)
    assert f'{STATE_TAG} = "{State.CANDIDATE}"' in tags
    assert tags.startswith("${merge(var.tags,")


def test_the_scripts_get_exactly_what_they_ask_for(image: Template) -> None:
    given: set[str] = set()
    for kind, body in image.provisioners("image"):
        if kind == "shell" and "environment_vars" in body:
            given |= {item.partition("=")[0] for item in body["environment_vars"]}
    text = "".join((ROOT / "cloud/scripts" / name).read_text() for name in ("image-install.sh", "image-generalise.sh"))
    asked = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", text))
    assert given == asked - {"ARCHIVES", "AGENT_FILE", "CHOICES", "ALWAYS", "SBOM", "DOCUMENT", "VERSION_ID"}


def test_the_choice_of_parts_is_that_of_the_scripts(image: Template) -> None:
    text = (ROOT / "cloud/scripts/image-lib.sh").read_text()
    (choices,) = re.findall(r'CHOICES="([^"]+)"', text)
    condition = image.variables["parts"]["validation"][0]["condition"]
    assert re.findall(r'"(\w+)"', condition) == choices.split()


def test_the_tags_that_the_project_requires_are_asked_for(image: Template) -> None:
    condition = image.variables["tags"]["validation"][0]["condition"]
    assert re.findall(r'"([\w-]+)"', condition) == list(REQUIRED)


@pytest.mark.parametrize("cloud", list(Cloud))
def test_what_the_stack_file_says_are_variables_of_the_template(cloud: Cloud) -> None:
    settings = from_file(stack_file("kontain"), rehearsal=True)
    agent = {"version": "2.337.0", "sha256": "a" * 64}
    given = packer_variables(settings, "kontain", cloud, Version(2026, 11, 1), agent)
    pins = hcl2.loads((ROOT / "cloud/pins.pkrvars.hcl").read_text())
    variables = Template(FOLDERS[cloud]).variables
    asked = {name for name, body in variables.items() if "default" not in body}
    assert given.keys() <= variables.keys()
    assert {name for name in pins if not name.startswith("__")} <= variables.keys()
    assert (
        asked - given.keys()
        == {
            Cloud.AZURE: {"network_resource_group", "network", "subnet"},
            Cloud.EC2: {"instance_profile"},
        }[cloud]
    )
    pattern = re.search(r'regex\("(.+?)", var', variables["image_version"]["validation"][0]["condition"])
    assert pattern
    assert re.search(pattern[1].replace("\\\\", "\\"), given["image_version"])


def test_the_build_machine_is_the_reserve_that_the_launcher_keeps_free() -> None:
    azure = Template(FOLDERS[Cloud.AZURE]).variables["vm_size"]["default"]
    aws = Template(FOLDERS[Cloud.EC2]).variables["instance_type"]["default"]
    assert table("sizes")["sizes"][azure]["vcpus"] == UNIT_VCPUS
    assert table("aws-types")["types"][aws]["vcpus"] == UNIT_VCPUS
    for place in (AzurePlace, AwsPlace):
        assert place.model_fields["reserve"].default == UNIT_VCPUS


def test_azure_publishes_to_the_gallery_and_not_to_the_latest() -> None:
    build = Template(FOLDERS[Cloud.AZURE]).source("build")
    (destination,) = build["shared_image_gallery_destination"]
    assert (destination["image_name"], destination["image_version"]) == ("${var.image_name}", "${var.image_version}")
    assert build["shared_gallery_image_version_exclude_from_latest"] in (True, "true")
    assert "dynamic" in destination


def test_azure_uses_the_login_of_az_and_no_public_address_and_no_security_type() -> None:
    template = Template(FOLDERS[Cloud.AZURE])
    for name in ("build", "canary"):
        source = template.source(name)
        assert source["use_azure_cli_auth"] in (True, "true")
        assert source["private_virtual_network_with_public_ip"] in (False, "false")
        assert source["virtual_network_name"] == "${var.network}"
        assert "security_type" not in source


def test_the_canary_looks_at_the_version_and_makes_no_image() -> None:
    azure, aws = (Template(FOLDERS[cloud]).source("canary") for cloud in Cloud)
    assert azure["skip_create_image"] in (True, "true")
    assert azure["shared_image_gallery"][0]["image_version"] == "${var.image_version}"
    assert aws["skip_create_ami"] in (True, "true")
    assert aws["source_ami_filter"][0]["filters"] == {"name": "${local.ami_name}"}
    assert aws["source_ami_filter"][0]["owners"] == ["self"]


def test_the_canary_comes_with_another_user_than_the_build() -> None:
    template = Template(FOLDERS[Cloud.AZURE])
    assert template.source("canary")["ssh_username"] != template.source("build")["ssh_username"]


def test_aws_asks_for_tokens_of_the_metadata_service_encrypts_and_has_no_public_address() -> None:
    template = Template(FOLDERS[Cloud.EC2])
    for name in ("build", "canary"):
        source = template.source(name)
        (metadata,) = source["metadata_options"]
        assert (metadata["http_tokens"], metadata["http_put_response_hop_limit"]) == ("required", 1)
        assert source["associate_public_ip_address"] in (False, "false")
        assert source["ssh_interface"] == "session_manager"
    build = template.source("build")
    assert build["imds_support"] == "v2.0"
    assert build["encrypt_boot"] in (True, "true")
    assert [disk["encrypted"] in (True, "true") for disk in build["launch_block_device_mappings"]] == [True]


def test_the_ami_is_called_like_image_and_version_and_goes_by_itself_one_day() -> None:
    template = Template(FOLDERS[Cloud.EC2])
    (local,) = template.content["locals"]
    assert local["ami_name"] == "${var.image_name}-${var.image_version}"
    assert template.source("build")["deprecate_at"]
    assert Template(FOLDERS[Cloud.AZURE]).source("build")["shared_gallery_image_version_end_of_life_date"]


def test_only_canonical_is_trusted_as_a_base() -> None:
    (data,) = Template(FOLDERS[Cloud.EC2]).blocks("data")
    assert data[2]["owners"] == ["${local.canonical}"]
    assert Template(FOLDERS[Cloud.AZURE]).source("build")["image_publisher"] == "Canonical"


@pytest.mark.parametrize("cloud", list(Cloud))
def test_the_base_release_is_an_input_with_24_04_by_default(cloud: Cloud) -> None:
    variable = Template(FOLDERS[cloud]).variables["base_release"]
    assert variable["default"] == "24.04"
    releases = set(re.findall(r'"([\d.]+)"', variable["validation"][0]["condition"]))
    if cloud is Cloud.AZURE:
        (local,) = Template(FOLDERS[cloud]).content["locals"]
        assert set(local["bases"]) == releases
