"""`virtci runners start|stop|sweep`: what workflows call at both ends of a run, and what cleans up after them."""

import argparse
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from virtci.cli.runners_desk import (
    RUN,
    acting,
    add_deployment,
    add_run,
    deployed,
    desk,
    require_repository,
    run_of,
    show,
    summarise,
)
from virtci.cli.step import set_output
from virtci.cli.targets import progress
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Serves
from virtci.core.runners.retention import OnCancel, results_of
from virtci.core.runners.wishes import capabilities_of, clouds_of, wishes

ALL, SOME, NONE = 0, 1, 2
HOURS = 4
NEEDS = "NEEDS"
START_JOB = "start-runners"
WAIT_MINUTES = 40
"""With the boot, within the hour that the logins of a job last."""


def add_to(verbs: Any) -> None:
    """Adds the commands."""
    _add_start(verbs)
    _add_stop(verbs)
    _add_sweep(verbs)
    _add_revive(verbs)


def _add_start(verbs: Any) -> None:
    start = verbs.add_parser(
        "start",
        help="start the runners of a workflow run, one in each cloud, and wait until they take jobs",
        description="Takes units of the quota, makes a machine in each cloud, proves its hypervisor, registers it, and gives "
        "its label as the step output `run-ons`, JSON by cloud. Waits while the quota or the day's budget is used up, and "
        "says for what. A place that fails costs another try elsewhere; what fails in one cloud fails there alone. Needs "
        "GITHUB_TOKEN with the repository permissions Administration: write and Actions: read.",
        epilog="Exit codes: 0 all runners are online, 1 some, 2 none, or the keys folder has problems, 3 not possible, "
        "with the reason and the fix.",
    )
    start.add_argument("--clouds", default="azure,ec2", help="default: azure,ec2")
    start.add_argument(
        "--capability", action="append", default=[], metavar="CLOUD=CAPABILITY",
        help="what the jobs on a cloud need: mshv, kvm-nested, kvm-metal, emulation, none (the default)",
    )  # fmt: skip
    start.add_argument("--serves", choices=list(Serves), help="all jobs of the run, or one; default: as the stack says")
    start.add_argument("--spot", action="store_true", help="try machines first that the platform may take back")
    start.add_argument(
        "--overflow", action=argparse.BooleanOptionalAction, default=True,
        help="another cloud will do when this one is full and that one has the capability; default: yes",
    )  # fmt: skip
    start.add_argument(
        "--wait", type=int, default=WAIT_MINUTES, metavar="MINUTES", help=f"for units; default: {WAIT_MINUTES}"
    )
    add_run(start)
    add_deployment(start, keys=True)
    start.set_defaults(run=acting(run_start))


def _add_stop(verbs: Any) -> None:
    stop = verbs.add_parser(
        "stop",
        help="end the runners of a workflow run: kept after a failure, gone otherwise",
        description="Looks at the results of the jobs and ends the machines of the run, those of its earlier attempts too. "
        "What is kept takes no vCPU. Can run again, also after it was interrupted.",
        epilog="Exit codes: 0 done, 2 `needs` is not what it should be, 3 not possible, with the reason and the fix.",
    )
    stop.add_argument(
        "--needs", default=NEEDS, metavar="VARIABLE",
        help=f"environment variable that holds toJSON(needs); default: {NEEDS}",
    )  # fmt: skip
    stop.add_argument(
        "--start-job", default=START_JOB, metavar="JOB",
        help=f"the job that started the runners: its result says nothing about a machine; default: {START_JOB}",
    )  # fmt: skip
    stop.add_argument(
        "--clouds", default="azure,ec2", help="only the runners that were asked for there; default: azure,ec2"
    )
    stop.add_argument(
        "--on-cancel", choices=list(OnCancel), default=OnCancel.IF_HANGING,
        help="what a cancelled run does with its machines; default: keeps them when a step was hanging",
    )  # fmt: skip
    add_run(stop)
    add_deployment(stop)
    stop.set_defaults(run=acting(run_stop))


def _add_sweep(verbs: Any) -> None:
    sweep = verbs.add_parser(
        "sweep",
        help="put right what was left behind, and bring back machines that re-run jobs wait for",
        description="Holds GitHub's runners, the machines of both clouds, Pulumi's stacks, the workflow runs and the leases "
        "together, and touches nothing that does not carry our tags.",
        epilog="Exit codes: 0 done, 1 something did not work and is tried by the next sweep, 3 not possible.",
    )
    sweep.add_argument("--dry-run", action="store_true", help="only say what would be done")
    sweep.add_argument("--json", action="store_true", help="actions, and a counter for each class of leak")
    add_deployment(sweep, keys=True)
    sweep.set_defaults(run=acting(run_sweep))


def _add_revive(verbs: Any) -> None:
    revive = verbs.add_parser(
        "revive",
        help="bring a kept machine back for people, for some hours",
        description="Takes units of the quota and turns the machine on, or in Azure makes one around a copy of the kept disk; "
        "it takes no jobs. People log in as `kontain` with the keys that it was started with. When the hours are over it is "
        "kept as before; in Azure, what people changed on it is lost then. The day on which it is deleted stays the same. "
        "Run again, it gives more time.",
        epilog="Exit codes: 0 it is on, 3 not possible, with the reason and the fix.",
    )
    revive.add_argument("run_name", metavar="RUN", help=RUN)
    revive.add_argument("--hours", type=float, default=HOURS, help=f"default: {HOURS}")
    add_deployment(revive)
    revive.set_defaults(run=acting(run_revive))


def run_start(arguments: argparse.Namespace) -> int:
    """Starts the runners of a run."""
    from virtci.fleet.runners.ports import Limits
    from virtci.fleet.runners.report import STARTED, TRIED, started_rows, started_text, tried_rows
    from virtci.fleet.runners.start import start_all

    run, clouds = run_of(arguments), clouds_of(arguments.clouds)
    capabilities = capabilities_of(arguments.capability, clouds)
    _, part = deployed(arguments)
    require_repository(part, run)
    serves = Serves(arguments.serves or part.serves)
    asked = wishes(run, capabilities, serves, overflow=arguments.overflow, spot=arguments.spot)
    found = desk(arguments, Limits(queue=timedelta(minutes=arguments.wait)))
    outcomes = start_all(found.launcher, asked, found.together)
    pairs = zip(asked, outcomes, strict=True)
    labels = {ask.name.cloud.value: ask.name.label for ask, outcome in pairs if not isinstance(outcome, Exception)}
    set_output("run-ons", json.dumps(labels))
    show(STARTED, started_rows(asked, outcomes))
    if tried := tried_rows(found.launcher, asked):
        show(TRIED, tried)
    summarise(started_text(found.launcher, asked, outcomes))
    return ALL if len(labels) == len(asked) else SOME if labels else NONE


def run_stop(arguments: argparse.Namespace) -> int:
    """Ends the runners of a run."""
    from virtci.fleet.runners import ledger
    from virtci.fleet.runners.report import ENDED, ended_rows, stopped_text
    from virtci.fleet.runners.stop import stop_run

    run, clouds = run_of(arguments), clouds_of(arguments.clouds)
    results = results_of({job: said for job, said in _needs(arguments.needs).items() if job != arguments.start_job})
    launcher = desk(arguments).launcher
    decided, records = stop_run(launcher, run, results, OnCancel(arguments.on_cancel), clouds)
    stacks = {record.stack for record in records}
    paid = [entry for entry in ledger.entries(launcher) if entry.stack in stacks]
    show(ENDED, ended_rows(records))
    summarise(stopped_text(launcher, decided, records, paid))
    return ALL


def run_sweep(arguments: argparse.Namespace) -> int:
    """Sweeps."""
    from virtci.core.runners.sweep import Leak
    from virtci.fleet.runners.report import SWEPT, swept_rows, swept_text
    from virtci.fleet.runners.sweep import sweep

    found = desk(arguments)
    swept = sweep(found.launcher, found.together, arguments.dry_run)
    rows = swept_rows(swept)
    if arguments.json:
        print(
            json.dumps(
                {
                    "actions": [dict(zip(SWEPT, row, strict=True)) for row in rows],
                    "leaks": {leak.name.lower().replace("_", "-"): swept.plan.leaks[leak] for leak in Leak},
                    "failures": swept.failures,
                    "restarted": swept.restarted,
                },
                indent=2,
            )
        )
    else:
        show(SWEPT, rows)
    for said in swept.failures:
        progress(f"did not work: {said}")
    summarise(swept_text(swept, dry_run=arguments.dry_run))
    return SOME if swept.failures else ALL


def run_revive(arguments: argparse.Namespace) -> int:
    """Brings a machine back."""
    from virtci.fleet.runners.looking import one_meant
    from virtci.fleet.runners.revive import revive

    launcher = desk(arguments).launcher
    record = revive(launcher, one_meant(launcher, arguments.run_name), arguments.hours)
    print(f"{record.stack} is on, {record.why}; to log in: virtci runners ssh {record.stack}")
    return ALL


def _needs(variable: str) -> Mapping[str, object]:
    """GitHub's `toJSON(needs)` in a variable. Raises `Refusal` for anything else."""
    try:
        found = json.loads(os.environ.get(variable, ""))
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(
            f"the environment variable {variable} holds toJSON(needs), an object with a result for each job",
            "nobody could tell whether the machines are worth keeping",
            f"set it in the step: {variable}: ${{{{ toJSON(needs) }}}}",
        )
    return found
