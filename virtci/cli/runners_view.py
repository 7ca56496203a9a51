"""`virtci runners list|show|logs|ssh|cost|why-waiting`: what people ask about on-demand runners of both clouds."""

import argparse
import json
import os
import shlex
from datetime import date
from typing import TYPE_CHECKING, Any

from virtci.cli.runners_desk import RUN, acting, add_deployment, desk, show
from virtci.core.problems import Refusal
from virtci.core.runners.requests import Record, to_document

if TYPE_CHECKING:
    from virtci.fleet.runners.launcher import Launcher

GOOD = 0


def add_to(verbs: Any) -> None:
    """Adds the commands."""
    _verb(verbs, "list", run_list, "the machines of both clouds, in one table").add_argument(
        "--json", action="store_true"
    )
    shown = _verb(verbs, "show", run_show, "everything that is known of a run's machines, also of those that are gone")
    shown.add_argument("run_name", metavar="RUN", help=RUN)
    shown.add_argument("--json", action="store_true")
    logs = _verb(verbs, "logs", run_logs, "what the consoles of a run's kept machines showed")
    logs.add_argument("run_name", metavar="RUN", help=RUN)
    ssh = _verb(verbs, "ssh", run_ssh, "the command that logs in to a machine that runs, as the user `kontain`")
    ssh.add_argument("run_name", metavar="RUN", help=RUN)
    ssh.add_argument("--go", action="store_true", help="run it instead of printing it")
    cost = _verb(verbs, "cost", run_cost, "vCPU-hours and money, of a day or of a run")
    which = cost.add_mutually_exclusive_group()
    which.add_argument("--run", dest="run_name", type=int, metavar="ID", help="id of a workflow run")
    which.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="UTC; default: today")
    cost.add_argument("--json", action="store_true")
    why = _verb(verbs, "why-waiting", run_why, "why jobs wait for their runners")
    why.add_argument(
        "label", nargs="?", default="", metavar="LABEL", help="of a runner; default: all that jobs wait for"
    )


def _verb(verbs: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=words,
        description=f"{words[0].upper()}{words[1:]}.",
        epilog="Exit codes: 0 done, 3 not possible, with the reason and the fix.",
    )
    add_deployment(parser)
    parser.set_defaults(run=acting(run))
    return parser


def run_list(arguments: argparse.Namespace) -> int:
    """Prints the machines that are there."""
    launcher = desk(arguments).launcher
    rows = listed(launcher)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        show(list(rows[0]) if rows else ["machine"], [list(row.values()) for row in rows])
    return GOOD


def listed(launcher: "Launcher") -> list[dict[str, str]]:
    """Machines with their records, and whatever is there without one."""
    from virtci.fleet.runners.report import moment

    records = {record.stack: record for record in launcher.records()}
    machines = {item.tags.stack: item for cloud in launcher.clouds.values() for item in cloud.machines()}
    runners = {runner.label: runner for runner in launcher.github.runners()}
    rows = []
    for stack in sorted(records.keys() | machines.keys()):
        record, machine = records.get(stack), machines.get(stack)
        label = record.request.name.label if record else machine.tags.label if machine else ""
        runner = runners.get(label)
        kept = (record and record.keep_until) or (machine and machine.tags.keep_until) or None
        rows.append(
            {
                "machine": record.request.name.shown if record else machine.tags.shown if machine else stack,
                "stack": stack,
                "where": str((record and record.rung) or ""),
                "phase": record.phase.value if record else "no record",
                "runner": "-" if not runner else "offline" if not runner.online else "busy" if runner.busy else "idle",
                "since": moment(record.at[record.phase] if record else machine.created if machine else None),
                "kept until": moment(kept),
                "why": record.why if record else "",
            }
        )
    return rows


def run_show(arguments: argparse.Namespace) -> int:
    """Prints all of a run's machines."""
    from virtci.fleet.runners.looking import meant

    records = meant(desk(arguments).launcher, arguments.run_name)
    if arguments.json:
        print(json.dumps([to_document(record) for record in records], indent=2))
        return GOOD
    for record in records:
        show(("property", "value"), _facts(record))
    return GOOD


def _facts(record: Record) -> list[tuple[str, str]]:
    from virtci.fleet.runners.report import moment

    name = record.request.name
    facts = [
        ("machine", name.shown),
        ("label", name.label),
        ("stack", record.stack),
        ("run", f"{name.run.path}, `{name.run.workflow}` #{name.run.run_number}"),
        ("asked for", f"{name.cloud}, {record.request.capability}, serves its {record.request.serves}"),
        ("where", f"{record.rung or '-'} {record.slot}".strip()),
        *((f"{phase}", moment(at)) for phase, at in sorted(record.at.items(), key=lambda item: item[1])),
        *((f"tried {item.rung}", f"{item.code}: {item.said}") for item in record.attempts),
        ("kept until", moment(record.keep_until)),
        ("why", record.why),
    ]
    return [(what, value) for what, value in facts if value]


def run_logs(arguments: argparse.Namespace) -> int:
    """Prints what is kept of consoles."""
    from virtci.fleet.runners.looking import meant

    launcher = desk(arguments).launcher
    records = meant(launcher, arguments.run_name)
    kept = {record.stack: launcher.objects.read(f"evidence/{record.stack}") for record in records}
    for stack, seen in kept.items():
        if seen:
            told = seen.document
            print(f"--- {stack}: {told.get('snapshot') or told.get('machine', '')}")
            shown = told.get("serialLog") or told.get("console")
            print(shown or f"nothing: {told.get('why') or 'the console was empty'}")
    if not any(kept.values()):
        raise Refusal(
            f"a machine of `{arguments.run_name}` was kept",
            "there is no evidence; it is taken when a machine is kept, and what jobs wrote is in their logs on GitHub",
            "look at the run on GitHub",
        )
    return GOOD


def run_ssh(arguments: argparse.Namespace) -> int:
    """Prints or runs the command that logs in."""
    from virtci.fleet.runners.looking import one_meant, ssh_command

    launcher = desk(arguments).launcher
    command = ssh_command(launcher, one_meant(launcher, arguments.run_name))
    if arguments.go:
        os.execvp(command[0], command)  # noqa: S606, because its words are ours and no shell reads them
    print(shlex.join(command))
    return GOOD


def run_cost(arguments: argparse.Namespace) -> int:
    """Prints what machines cost."""
    from virtci.core.runners.ledger import spent_on, total
    from virtci.fleet.runners import ledger
    from virtci.fleet.runners.report import COST, cost_row, cost_sentence

    launcher = desk(arguments).launcher
    now = launcher.pace.now()
    day = arguments.day or now.date()
    if arguments.run_name:
        entries = [item for item in ledger.all_entries(launcher) if item.run.split("/")[2] == str(arguments.run_name)]
    else:
        entries = ledger.of_day(launcher, day)
    if arguments.json:
        found = total(entries, now)
        figures = {
            "vcpuHours": found.vcpu_hours,
            "idleShare": found.idle_share,
            "usd": found.usd,
            "machines": len(entries),
        }
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2))
        return GOOD
    show(COST, [cost_row(entry, now) for entry in entries])
    print(cost_sentence(entries, now))
    if not arguments.run_name and day == now.date():
        spent = spent_on(day, ledger.entries(launcher), now)
        print(f"Spent today, machines of yesterday included: {spent:.2f} of {launcher.rules.daily_budget_usd:g} USD.")
    return GOOD


def run_why(arguments: argparse.Namespace) -> int:
    """Prints why jobs wait."""
    from virtci.fleet.runners.looking import why_waiting

    rows = why_waiting(desk(arguments).launcher, arguments.label)
    if rows:
        show(("label", "why"), rows)
    else:
        print("no job waits for a runner of ours, and none is being started")
    return GOOD
