"""Objects of a cluster as resources: any kind, with the type token that the provider's own SDK gives it.

The SDK has a class for each kind, and a generic one that knows nothing but `spec`; importing the classes costs a second,
and a release brings whatever kinds it needs.
"""

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import pulumi

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.manifests import POD_SECURITY

PACKAGE = "pulumi-kubernetes"
OWN_NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE, "labels": {POD_SECURITY: "privileged"}},
}
"""To be declared as a patch: several stacks and `virtci readiness` say the same of it, and none takes it away."""


class ClusterObject(pulumi.CustomResource):
    """One declared object."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(token(manifest["apiVersion"], manifest["kind"]), name, dict(manifest), versioned(opts))


class ClusterPatch(pulumi.CustomResource):
    """Fields of an object that others may own as well; when it goes, the object stays and these fields are given up."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        kind = f"{manifest['kind']}Patch"
        super().__init__(token(manifest["apiVersion"], kind), name, dict(manifest), versioned(opts))


class ConfigMapReading(pulumi.CustomResource):
    """A ConfigMap that somebody else writes: it is read in previews and deployments, and never changed."""

    data: pulumi.Output[dict[str, str]]
    """Its texts by key."""

    def __init__(self, name: str, resource_id: str, opts: pulumi.ResourceOptions) -> None:
        read = pulumi.ResourceOptions.merge(versioned(opts), pulumi.ResourceOptions(id=resource_id))
        super().__init__(token("v1", "ConfigMap"), name, {"data": None}, read)


def token(api_version: str, kind: str) -> str:
    """The type token of a kind; the provider calls the group without a name `core`."""
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group_version}:{kind}"


def versioned(opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Options that name the provider's version, as the SDK's own classes do."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=importlib.metadata.version(PACKAGE)))
