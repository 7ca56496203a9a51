"""A stand-in for the engine, so that a pipeline can be tested without the minutes of four real deployments.

It takes the command lines of the workflow and nothing else, reads the release as the program would, and leaves in the cluster what
the pipeline needs of a deployment: the account of the tests, and a note of the release.
"""

import argparse
import os
import sys
from pathlib import Path

from virtci.core.cluster_objects import NAMESPACE, TESTS_ACCOUNT
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.settings.delivery import read_delivery

DEPLOYED = "deployed-release"
"""ConfigMap with the digest of every release that was deployed, one a line."""


def main() -> None:
    """Runs one command of the engine."""
    if not os.environ.get("PULUMI_BACKEND_URL"):
        sys.exit("error: no backend: set PULUMI_BACKEND_URL")
    parser = argparse.ArgumentParser(prog="pulumi", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    stack = commands.add_parser("stack").add_subparsers(required=True)
    stack.add_parser("select").add_argument("stack")
    config = commands.add_parser("config").add_subparsers(required=True)
    setting = config.add_parser("set")
    setting.add_argument("--path", action="store_true", required=True)
    setting.add_argument("key", choices=["virt-ci:kubevirt.release"])
    setting.add_argument("value", type=Path)
    preview, up = commands.add_parser("preview"), commands.add_parser("up")
    for command in (setting, preview, up):
        command.add_argument("--stack", required=True)
    for command in (preview, up):
        command.add_argument("--policy-pack", type=Path, required=True)
        command.add_argument("--policy-pack-config", type=Path, required=True)
        command.add_argument("--non-interactive", action="store_true", required=True)
        command.add_argument("--color", choices=["never"])
    for option in ("--yes", "--skip-preview"):
        up.add_argument(option, action="store_true", required=True)
    perform(parser.parse_args())


def perform(arguments: argparse.Namespace) -> None:
    """What the command does to the folder and to the cluster."""
    if not Path(f"Pulumi.{arguments.stack}.yaml").exists():
        sys.exit(f"error: no stack named '{arguments.stack}' found")
    chosen = Path(f"release-of-{arguments.stack}")
    if arguments.command == "config":
        chosen.write_text(str(arguments.value))
    elif arguments.command in ("preview", "up"):
        if not (arguments.policy_pack / "PulumiPolicy.yaml").exists():
            sys.exit(f"error: could not load policy pack {arguments.policy_pack}")
        digest = read_delivery(Path(chosen.read_text())).digest
        if arguments.command == "up":
            deploy(digest)
        sys.stdout.write(f"{arguments.command} of {arguments.stack}: {digest}\n")


def deploy(digest: str) -> None:
    """Leaves its mark in the cluster of `KUBECONFIG`."""
    with kubernetes(Path(os.environ["KUBECONFIG"]).read_text()) as client:
        api = ClusterApi(client)
        account = {"metadata": {"name": TESTS_ACCOUNT, "namespace": NAMESPACE}}
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", **account}, "pulumi")
        before = api.get("v1", "ConfigMap", NAMESPACE, DEPLOYED) or {"data": {"digests": ""}}
        note = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": DEPLOYED, "namespace": NAMESPACE},
            "data": {"digests": f"{before['data']['digests']}{digest}\n"},
        }
        api.apply(note, "pulumi", force=True)


if __name__ == "__main__":
    main()
