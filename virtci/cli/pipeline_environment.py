"""`virtci pipeline …`: what is done in one environment."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtci.cli.step import GOOD, JOB_RESULTS, NOTHING_RAN, RED, answering, set_output, text_of, write_summary
from virtci.cli.targets import add_environment, progress
from virtci.core.environments import Environment
from virtci.core.pipeline import outcome
from virtci.core.problems import Refusal


def add_to(commands: Any) -> None:
    """Adds the commands."""
    for add in (_add_tests, _add_lease, _add_smoke, _add_junit, _add_benchmark, _add_record):
        add(commands)


def _add_tests(commands: Any) -> None:
    command = commands.add_parser("tests", help="say whether the tests are on: TESTS_ENABLED, TESTS_DISABLED_REASON")
    command.set_defaults(run=answering(run_tests))


def _add_lease(commands: Any) -> None:
    command = commands.add_parser("lease", help="take or give back an environment")
    command.add_argument("what", choices=("acquire", "release"))
    command.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    command.add_argument("--holder", required=True, metavar="NAME")
    command.add_argument("--minutes", type=int, default=60, help="how long it is good for; default 60")
    command.set_defaults(run=answering(run_lease))


def _add_smoke(commands: Any) -> None:
    command = commands.add_parser("smoke", help="take one virtual machine through its life")
    command.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    command.add_argument("--name", required=True, help="name of the virtual machine")
    command.set_defaults(run=answering(run_smoke))


def _add_junit(commands: Any) -> None:
    command = commands.add_parser("junit", help="read JUnit files: 1 tests failed, 2 no test ran")
    command.add_argument("place", type=Path, metavar="FILE_OR_DIR")
    command.add_argument("--title", required=True)
    command.set_defaults(run=answering(run_junit, refused=NOTHING_RAN))


def _add_benchmark(commands: Any) -> None:
    command = commands.add_parser(
        "benchmark",
        help="start the same machines as everywhere, and measure how long that takes and what memory they need",
        description="Starts virtual machines from a container disk, waits until they run, asks the cluster's Prometheus, "
        "and deletes them however it ends. Nobody else may start machines meanwhile: hold the lease.",
    )
    command.add_argument("environment", metavar="ENV", choices=[item.value for item in Environment], help="environment")
    command.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    command.add_argument("--disk", required=True, metavar="IMAGE", help="container disk by digest: name@sha256:…")
    command.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder for the measurement")
    command.set_defaults(run=answering(run_benchmark))


def _add_record(commands: Any) -> None:
    command = commands.add_parser("record", help="keep how an environment ended")
    add_environment(command)
    command.add_argument("--deploy", required=True, choices=JOB_RESULTS, help="result of the job")
    command.add_argument("--test", required=True, choices=JOB_RESULTS, help="result of the job")
    command.add_argument("--off", default="", metavar="REASON", help="why the tests are off, when they are")
    command.add_argument("--junit", type=Path, required=True, metavar="DIR")
    command.add_argument("--release", required=True, metavar="DIGEST")
    command.add_argument("--kubeconfig", type=Path, metavar="FILE", help="leave the record in this cluster as well")
    command.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder for the result")
    command.set_defaults(run=answering(run_record))


def run_tests(_: argparse.Namespace) -> int:
    """Tells a workflow whether the suite runs; a switch without a reason is refused."""
    switch, reason = os.environ.get("TESTS_ENABLED", ""), os.environ.get("TESTS_DISABLED_REASON", "").strip()
    rule = ""
    if switch not in ("true", "false"):
        rule = f"TESTS_ENABLED is `true` or `false`, not `{switch}`"
    elif switch == "false" and not reason:
        rule = "tests that are off say why, in TESTS_DISABLED_REASON"
    if rule:
        raise Refusal(
            rule,
            "nobody could tell skipped tests from forgotten ones",
            "deploy the stack of the environment, which sets both variables of its GitHub Environment",
        )
    set_output("enabled", switch)
    set_output("reason", "" if switch == "true" else reason)
    if switch == "false":
        write_summary(f"### Tests skipped\n\n{reason}")
        print(f"::notice title=Tests skipped::{reason}")
    return GOOD


def run_lease(arguments: argparse.Namespace) -> int:
    """Takes or gives back the environment of a kubeconfig."""
    from virtci.fleet import lease
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.troubles import asking

    now = datetime.now(UTC)
    with asking("the cluster of the environment"), kubernetes(text_of(arguments.kubeconfig)) as api:
        if arguments.what == "acquire":
            lease.acquire(api, arguments.holder, now, arguments.minutes * 60)
            print(f"{arguments.holder} has the environment for {arguments.minutes} minutes")
        elif lease.release(api, arguments.holder, now):
            print(f"{arguments.holder} gave the environment back")
        else:
            print(f"{arguments.holder} did not have the environment")
    return GOOD


def run_smoke(arguments: argparse.Namespace) -> int:
    """Takes one virtual machine through its life."""
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.cluster_api import ClusterApi
    from virtci.fleet.smoke import smoke

    with kubernetes(text_of(arguments.kubeconfig)) as client:
        seconds = smoke(ClusterApi(client), arguments.name, progress)
    write_summary(f"A virtual machine ran, stopped and went in {seconds:.0f} s.")
    return GOOD


def run_junit(arguments: argparse.Namespace) -> int:
    """Reads JUnit files; a run without tests is not green."""
    from virtci.fleet.junit import read_report, summary

    report = read_report(arguments.place)
    write_summary(summary(report, arguments.title))
    if report.tests.failed:
        return RED
    return GOOD if report.tests.ran else NOTHING_RAN


def run_benchmark(arguments: argparse.Namespace) -> int:
    """Measures an environment."""
    from virtci.fleet import benchmark, waiting
    from virtci.fleet.benchmark_results import write_measurement
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.cluster_api import ClusterApi
    from virtci.settings.types import image_by_digest

    environment, disk = Environment(arguments.environment), image_by_digest(arguments.disk)
    with kubernetes(text_of(arguments.kubeconfig)) as client:
        found = benchmark.run_benchmark(ClusterApi(client), environment, disk, waiting.real_pace(), progress)
    write_measurement(found, arguments.to)
    write_summary(
        f"`{environment}` on {found.hypervisor}: {found.starts:.0f} starts, {found.startup_p95_seconds:.1f} s (95th "
        f"percentile), {found.memory_bytes / 2**20:,.0f} MiB each."
    )
    return GOOD


def run_record(arguments: argparse.Namespace) -> int:
    """Keeps how an environment ended, for the verdict and in the cluster."""
    from virtci.fleet.junit import Report, read_report
    from virtci.fleet.last_test import result_of
    from virtci.fleet.release_build import require_digest

    environment = Environment(arguments.environment)
    report: Report | None = None
    if arguments.junit.is_dir() and any(arguments.junit.rglob("junit*.xml")):
        report = read_report(arguments.junit)
    tests = report.tests if report else None
    ended = outcome(arguments.deploy, arguments.test, tests, arguments.off)
    release = require_digest(arguments.release, "the release of the run")
    result = result_of(environment, ended, release, tests, [item.name for item in report.failed] if report else ())
    result.write(arguments.to)
    set_output("ending", result.ending)
    write_summary(f"`{environment}`: **{ended.ending}**" + (f" ({ended.reason})" if ended.reason else ""))
    if arguments.kubeconfig:
        _leave(arguments.kubeconfig, result)
    return GOOD


def _leave(kubeconfig: Path, result: Any) -> None:
    """Leaves the record in the cluster; a cluster that is gone must not keep the run from giving its machine back."""
    from virtci.fleet.actions import run_link
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.cluster_records import leave_last_test
    from virtci.fleet.last_test import record_of
    from virtci.fleet.troubles import asking

    try:
        with asking(f"the cluster of `{result.environment}`"), kubernetes(text_of(kubeconfig)) as api:
            leave_last_test(api, record_of(result, datetime.now(UTC), run_link()))
    except Refusal as refusal:
        print(f"::warning::the record of this test is not in the cluster: {refusal.rule}; {refusal.consequence}")
