"""`virtci readiness`: measures what every node of a cluster has, before the gate goes on."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from virtci.cli.console import console
from virtci.core.environments import ROWS, Environment
from virtci.core.kubeconfigs import VARIABLE
from virtci.core.problems import Problem, ProblemsError, Refusal
from virtci.core.readiness import Readiness, Record, judge, parse_record
from virtci.fleet import clouds
from virtci.fleet.readiness import measure
from virtci.places import stack_file
from virtci.settings.cluster_access import require_kubeconfig
from virtci.settings.load import from_file

READY, NOT_MEASURED, NOT_READY = 0, 1, 2


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "readiness",
        help="measure whether every node of a cluster has its hypervisor",
        description="Runs the probe in a pod on every schedulable node of an environment's cluster, keeps the record in "
        "the cluster (ConfigMap virt-ci/readiness, which the stack ENV-kubevirt reads) and judges it. Nodes that are "
        "cordoned or tainted take no virtual machine and are left out.",
        epilog="Exit codes: 0 every node is ready, 1 the nodes cannot be measured, 2 a node is not ready.",
    )
    parser.add_argument("environment", metavar="ENV", choices=[item.value for item in Environment])
    parser.add_argument("--kubeconfig", metavar="FILE", help=f"default: the file named in {VARIABLE}")
    parser.add_argument("--json", action="store_true", help="print the judgement as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    environment = Environment(arguments.environment)
    try:
        record = measured(environment, arguments.kubeconfig or os.environ.get(VARIABLE))
    except ProblemsError as problems:
        print(problems, file=sys.stderr)
        return NOT_MEASURED
    except Refusal as refusal:
        problem = Problem("readiness", environment.value, refusal.rule, refusal.consequence, refusal.fix)
        print(ProblemsError(f"cluster of {environment}", [problem]), file=sys.stderr)
        return NOT_MEASURED
    readiness = judge(record, ROWS[environment].hypervisor)
    if arguments.json:
        print(json.dumps(summary(environment, readiness)))
    else:
        show(record, readiness)
    if not readiness.ready:
        print(f"fix: {FIX}", file=sys.stderr)
    return READY if readiness.ready else NOT_READY


FIX = (
    "boot the nodes named from an image, and on a host or of a size, that has the device; or take them out of "
    "scheduling (kubectl cordon); docs/runbooks/hypervisor-absent.md"
)


def measured(environment: Environment, kubeconfig: str | None) -> Record:
    """The record of the cluster's nodes. Raises `ProblemsError` or `Refusal` when they cannot be measured."""
    path = stack_file(f"{environment}-kubevirt")
    settings = from_file(path, rehearsal=clouds.VARIABLE in os.environ)
    if settings.kubevirt is None:
        raise Refusal(f"{path.name} has the section kubevirt", "the image of the probe is not known", "add the section")
    require_kubeconfig(environment, kubeconfig)
    with clouds.kubernetes(Path(str(kubeconfig)).read_text()) as client:
        return parse_record(json.dumps(measure(client, environment, settings.kubevirt.probe_image)))


def summary(environment: Environment, readiness: Readiness) -> dict[str, Any]:
    """The judgement for other tools."""
    return {
        "environment": environment.value,
        "hypervisor": readiness.hypervisor.value,
        "ready": readiness.ready,
        "nodes": list(readiness.nodes),
        "incapable": {node: list(why) for node, why in readiness.incapable.items()},
        "measuredAt": readiness.measured_at.isoformat(),
        "message": readiness.message,
    }


def show(record: Record, readiness: Readiness) -> None:
    """Prints a line for each node, and the judgement."""
    table = Table(box=None, pad_edge=False)
    for title in ("Node", "Kernel", "Hypervisor", "Ready", "Reason"):
        table.add_column(title, overflow="fold")
    for item in record.nodes:
        kernel, found = (item.probe.kernel, item.probe.hypervisor.value) if item.probe else ("-", "-")
        why = readiness.incapable.get(item.node, ())
        table.add_row(item.node, kernel, found, "no" if why else "yes", "; ".join(why))
    console.print(table)
    console.print(readiness.message)
