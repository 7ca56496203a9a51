"""Named types of the settings: each says what a value must look like, and what happens when it does not."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from virtci.core import sizes
from virtci.core.decision import gate_named
from virtci.core.environments import Gate
from virtci.core.names import RULES, Kind, named
from virtci.core.problems import Refusal, nearest
from virtci.core.runner_agent import require_agent

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
STACK_REFERENCE = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+")
GALLERY_IMAGE = re.compile(
    r"/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Compute/galleries/[^/]+"
    r"/images/[^/]+(/versions/[^/]+)?"
)
SHA256 = re.compile(r"[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
IMAGE_BY_DIGEST = re.compile(r"[a-z0-9][a-z0-9._:-]*(/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}")
K3S_VERSION = re.compile(r"v1\.\d{2}\.\d+\+k3s\d+")
MARKETPLACE_IMAGE = re.compile(r"[^:/\s]+:[^:/\s]+:[^:/\s]+:[^:/\s]+")


@dataclass(frozen=True, slots=True)
class Form:
    """What a value of a named type looks like, in a few words; `docs/configuration.md` shows it."""

    words: str


def _guid(value: str) -> str:
    if not GUID.fullmatch(value):
        raise Refusal(
            "an id of the form 00000000-0000-0000-0000-000000000000",
            "no cloud call can be addressed",
            "copy it from `az account show`",
        )
    return value


def _region(value: str) -> str:
    if value not in sizes.regions():
        raise Refusal(
            "a region of virtci/data/prices.json",
            "neither offers nor prices of the region are known",
            nearest(value, sizes.regions()),
        )
    return value


def _size(value: str) -> str:
    return sizes.size(value).name


def _slug(value: str) -> str:
    if not SLUG.fullmatch(value):
        raise Refusal(
            "a GitHub repository is written owner/name",
            "no token of its workflows can be trusted and no environment be made",
            "write it as in the address of the repository, without https://github.com/",
        )
    return value


def _cidr(value: Any) -> IPv4Network:
    try:
        return IPv4Network(value)
    except ValueError as error:
        raise Refusal(
            "an IPv4 range such as 10.60.1.0/24, with no bits set behind the prefix",
            "the network cannot be made",
            str(error),
        ) from None


def _gallery_image(value: str) -> str:
    if not GALLERY_IMAGE.fullmatch(value):
        raise Refusal(
            "the resource id of an image of a Compute Gallery: /subscriptions/…/galleries/G/images/I[/versions/V]",
            "the machine would boot another image, without /dev/mshv, or none",
            "copy it from `az sig image-definition show --query id`",
        )
    return value


def _marketplace_image(value: str) -> str:
    if not MARKETPLACE_IMAGE.fullmatch(value):
        raise Refusal(
            "a marketplace image is written publisher:offer:sku:version",
            "the machine cannot be made",
            "copy the urn from `az vm image list --all`",
        )
    return value


def _sha256(value: str) -> str:
    if not SHA256.fullmatch(value):
        raise Refusal(
            "a SHA-256 in hexadecimal: 64 of 0-9 and a-f",
            "what is downloaded or deployed cannot be held against it",
            f"copy the published checksum; this has {len(value)} characters",
        )
    return value


def _digest(value: str) -> str:
    if not DIGEST.fullmatch(value):
        raise Refusal(
            "an image digest: `sha256:` and 64 of 0-9 and a-f",
            "a tag can mean another image tomorrow, so nothing that was tested would be known to be deployed",
            "copy it from the push, or from `docker buildx imagetools inspect IMAGE`",
        )
    return value


def image_by_digest(value: str) -> str:
    """An image as it was given. Raises `Refusal` for one without its digest."""
    if not IMAGE_BY_DIGEST.fullmatch(value):
        raise Refusal(
            "an image with its digest: registry/name@sha256:…",
            "a tag can mean another image tomorrow",
            "add the digest that `docker buildx imagetools inspect IMAGE` shows",
        )
    return value


def _k3s_version(value: str) -> str:
    if not K3S_VERSION.fullmatch(value):
        raise Refusal(
            "a k3s release such as v1.34.1+k3s1",
            "neither the binary nor its install script can be found",
            "choose one of the releases of k3s-io/k3s",
        )
    return value


def _agent_version(value: str) -> str:
    require_agent(value)
    return value


def _stack_reference(value: str) -> str:
    if value and not STACK_REFERENCE.fullmatch(value):
        raise Refusal(
            "a stack is written organization/project/stack",
            "the outputs of the hub cannot be read",
            "write it as `pulumi stack ls --all` shows it; a self-managed backend has the organization `organization`",
        )
    return value


def _gate(value: Any) -> Any:
    """YAML 1.1 readers take an unquoted `off` for the boolean false, Pulumi's own reader takes it for the word."""
    if value is False:
        return Gate.OFF
    return gate_named(value) if isinstance(value, str) else value


def _name(kind: Kind) -> tuple[AfterValidator, Form]:
    """A validator that holds a name against the platform's rule for its kind, and the rule in short."""
    rule = RULES[kind]
    form = Form(f"name of {rule.minimum} to {rule.maximum} characters")
    return AfterValidator(lambda value: named(kind, value)), form


Guid = Annotated[str, AfterValidator(_guid), Form("GUID")]
Region = Annotated[str, AfterValidator(_region), Form("Azure region")]
SizeName = Annotated[str, AfterValidator(_size), Form("VM size")]
Slug = Annotated[str, AfterValidator(_slug), Form("`owner/name`")]
Cidr = Annotated[IPv4Network, BeforeValidator(_cidr), PlainSerializer(str), Form("IPv4 range")]
GalleryImage = Annotated[str, AfterValidator(_gallery_image), Form("resource id of a gallery image")]
MarketplaceImage = Annotated[str, AfterValidator(_marketplace_image), Form("`publisher:offer:sku:version`")]
StackReferenceName = Annotated[str, AfterValidator(_stack_reference), Form("`organization/project/stack`")]
Sha256 = Annotated[str, AfterValidator(_sha256), Form("SHA-256, hexadecimal")]
Digest = Annotated[str, AfterValidator(_digest), Form("`sha256:…`")]
ImageByDigest = Annotated[str, AfterValidator(image_by_digest), Form("`registry/name@sha256:…`")]
K3sVersion = Annotated[str, AfterValidator(_k3s_version), Form("release of k3s")]
AgentVersion = Annotated[str, AfterValidator(_agent_version), Form("version, in quotes")]
GateChoice = Annotated[Gate, BeforeValidator(_gate)]
ResourceGroupName = Annotated[str, *_name("resource_group")]
MachineName = Annotated[str, *_name("virtual_machine")]
NetworkName = Annotated[str, *_name("virtual_network")]
KeyVaultName = Annotated[str, *_name("key_vault")]
ClusterName = Annotated[str, *_name("managed_cluster")]
PoolName = Annotated[str, *_name("agent_pool")]
StorageAccountName = Annotated[str, *_name("storage_account")]
GalleryName = Annotated[str, *_name("gallery")]
WorkspaceName = Annotated[str, *_name("workspace")]
TagWord = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9.@-]*$", max_length=256), Form("lower case letters, digits, `.`, `@`, `-`")
]
FirstOfMonth = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])-01$"), Form("`YYYY-MM-01`")]
Mail = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$"), Form("e-mail address")]
Login = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,39}$"), Form("GitHub login")]
BranchPattern = Annotated[str, Field(min_length=1), Form("pattern")]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$"), Form("label")]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3])[0-5]\d$"), Form("`HHMM`")]
Surge = Annotated[str, Field(pattern=r"^([1-9]\d?|[1-9]\d?%|100%)$"), Form("number or share, in quotes")]
KubernetesVersion = Annotated[str, Field(pattern=r"^1\.\d{2}(\.\d+)?$"), Form("version, in quotes")]
