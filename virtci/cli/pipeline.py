"""`virtci pipeline`: the decisions of the KubeVirt pipeline, for its workflow files to call."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtci.cli.refusals import NOT_ASKED
from virtci.cli.targets import add_environment, add_outputs, fleet, progress
from virtci.core.environments import Environment
from virtci.core.pipeline import FIRST, Declared, Planned, check_promotion, outcome, plan, verdict, version_of
from virtci.core.problems import Problem, ProblemsError, Refusal

GOOD, RED, NOTHING_RAN = 0, 1, 2
JOB_RESULTS = ("success", "failure", "cancelled", "skipped")
CONTRACT = "VIRTCI_OUTPUTS"
"""Variable with the outputs of all stacks, as a JSON list."""


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "pipeline",
        help="decide what the KubeVirt pipeline does, and how it ended",
        description="The decisions of .github/workflows/kubevirt-pipeline.yaml. Results go to GITHUB_OUTPUT and "
        "GITHUB_STEP_SUMMARY where these are set, and to standard output.",
        epilog="Exit codes: 0 good, 1 red, 2 nothing ran or bad settings, 3 not possible, with the reason and the fix.",
    )
    commands = parser.add_subparsers(dest="pipeline", required=True, metavar="WHAT")
    for add in (_add_plan, _add_release, _add_promote, _add_tests, _add_lease, _add_smoke, _add_junit, _add_record):
        add(commands)
    _add_verdict(commands)


def _add_plan(commands: Any) -> None:
    command = commands.add_parser("plan", help="say what each environment tests")
    add_outputs(command)
    command.add_argument("--version", required=True, help="version of KubeVirt that the branch is based on: v1.8.2")
    command.add_argument("--run-number", type=int, required=True, metavar="NUMBER")
    command.add_argument(
        "--contract", type=Path, metavar="DIR", help=f"write the outputs in {CONTRACT} here and use them"
    )
    command.add_argument("--parser", choices=("required", "if-there"), default="if-there", help="ginkgo's own parser")
    command.set_defaults(run=_run(run_plan))


def _add_release(commands: Any) -> None:
    command = commands.add_parser("release", help="make the release of what was pushed, or check one")
    command.add_argument("folder", type=Path, metavar="DIR", help="folder of the release")
    command.add_argument("--expect", metavar="DIGEST", help="make nothing: the release is the one of this digest")
    command.add_argument("--version", help="version and tag of the images")
    command.add_argument("--registry", help="registry and prefix of the images")
    command.add_argument("--manifest", type=Path, metavar="FILE", help="the operator's manifest that the build made")
    command.add_argument(
        "--digests", type=Path, metavar="FILE", help="JSON, digest by image; default: ask the registry"
    )
    command.set_defaults(run=_run(run_release))


def _add_promote(commands: Any) -> None:
    command = commands.add_parser("promote", help="let a release go on that passed the first environment")
    command.add_argument("--results", type=Path, required=True, metavar="DIR", help="folder with its result")
    command.add_argument("--release", type=Path, required=True, metavar="DIR")
    command.add_argument("--built", required=True, metavar="DIGEST", help="digest that the build named")
    command.set_defaults(run=_run(run_promote))


def _add_tests(commands: Any) -> None:
    command = commands.add_parser("tests", help="say whether the tests are on: TESTS_ENABLED, TESTS_DISABLED_REASON")
    command.set_defaults(run=_run(run_tests))


def _add_lease(commands: Any) -> None:
    command = commands.add_parser("lease", help="take or give back an environment")
    command.add_argument("what", choices=("acquire", "release"))
    command.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    command.add_argument("--holder", required=True, metavar="NAME")
    command.add_argument("--minutes", type=int, default=60, help="how long it is good for; default 60")
    command.set_defaults(run=_run(run_lease))


def _add_smoke(commands: Any) -> None:
    command = commands.add_parser("smoke", help="take one virtual machine through its life")
    command.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    command.add_argument("--name", required=True, help="name of the virtual machine")
    command.set_defaults(run=_run(run_smoke))


def _add_junit(commands: Any) -> None:
    command = commands.add_parser("junit", help="read JUnit files: 1 tests failed, 2 no test ran")
    command.add_argument("place", type=Path, metavar="FILE_OR_DIR")
    command.add_argument("--title", required=True)
    command.set_defaults(run=_run(run_junit, refused=NOTHING_RAN))


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
    command.set_defaults(run=_run(run_record))


def _add_verdict(commands: Any) -> None:
    command = commands.add_parser("verdict", help="say how the run ended: 1 when it is not good")
    command.add_argument("--results", type=Path, required=True, metavar="DIR")
    command.add_argument("--release", default="", metavar="DIGEST")
    command.add_argument(
        "--job", nargs=2, action="append", required=True, metavar=("NAME", "RESULT"), dest="jobs",
        help="result of a job before the environments; once for each, in order",
    )  # fmt: skip
    command.add_argument("--promote", required=True, choices=JOB_RESULTS, help="result of the job")
    command.set_defaults(run=_run(run_verdict))


def run_plan(arguments: argparse.Namespace) -> int:
    """Plans, or says everything that is wrong with the contract."""
    from virtci.fleet.label_parser import label_parser

    parser = label_parser(required=arguments.parser == "required")
    if arguments.contract:
        arguments.outputs = _contract_files(arguments.contract)
    known = fleet(arguments)
    declared = [
        Declared(
            environment=target.environment,
            enabled=target.part.tests.enabled,
            reason=target.part.tests.reason,
            scope=target.part.tests.scope,
            focus=target.part.tests.focus,
        )
        for target in known.targets
    ]
    labels = next((stack.runner_labels for stack in known.stacks if stack.runner_labels), ())
    planned = plan(declared, labels, parser or (lambda _: ""))
    first, *others = [item.entry() for item in planned]
    _output("version", version_of(arguments.version, arguments.run_number))
    _output("labels", json.dumps(list(planned[0].labels)))
    _output("first", json.dumps(first))
    _output("matrix", json.dumps({"include": others}))
    _summary(_plan_text(planned, checked=parser is not None))
    return GOOD


def run_release(arguments: argparse.Namespace) -> int:
    """Makes or checks a release."""
    from virtci.fleet.release_build import make_release, require_release

    if arguments.expect is not None:
        require_release(arguments.folder, arguments.expect)
        print(f"{arguments.folder}: {arguments.expect}")
        return GOOD
    if not (arguments.version and arguments.registry and arguments.manifest):
        raise Refusal(
            "a release is made from --version, --registry and --manifest", "nothing was made", "give all three"
        )
    with _digests(arguments) as digest_of:
        digest = make_release(
            arguments.folder,
            version=arguments.version,
            registry=arguments.registry,
            manifest=_text(arguments.manifest),
            digest_of=digest_of,
        )
    _output("digest", digest)
    _summary(f"### Release {arguments.version}\n\n`{digest}`")
    return GOOD


def run_promote(arguments: argparse.Namespace) -> int:
    """Lets the release of a good first environment go on."""
    from virtci.fleet.last_test import read_results
    from virtci.fleet.release_build import require_release

    found = read_results(arguments.results).get(FIRST)
    if found is None:
        raise Refusal(
            f"`{FIRST}` left a result in {arguments.results}",
            "nobody knows whether the release passed its tests, so it stays",
            "run all jobs of the pipeline again",
        )
    check_promotion(found.outcome, found.release, arguments.built)
    require_release(arguments.release, arguments.built)
    _output("digest", found.release)
    _summary(f"### Promoted\n\n`{found.release}` passed {found.passed} tests in `{FIRST}` and goes on unchanged.")
    return GOOD


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
    _output("enabled", switch)
    _output("reason", "" if switch == "true" else reason)
    if switch == "false":
        _summary(f"### Tests skipped\n\n{reason}")
        print(f"::notice title=Tests skipped::{reason}")
    return GOOD


def run_lease(arguments: argparse.Namespace) -> int:
    """Takes or gives back the environment of a kubeconfig."""
    from virtci.fleet import lease
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.troubles import asking

    now = datetime.now(UTC)
    with asking("the cluster of the environment"), kubernetes(_text(arguments.kubeconfig)) as api:
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

    with kubernetes(_text(arguments.kubeconfig)) as client:
        seconds = smoke(ClusterApi(client), arguments.name, progress)
    _summary(f"A virtual machine ran, stopped and went in {seconds:.0f} s.")
    return GOOD


def run_junit(arguments: argparse.Namespace) -> int:
    """Reads JUnit files; a run without tests is not green."""
    from virtci.fleet.junit import read_report, summary

    report = read_report(arguments.place)
    _summary(summary(report, arguments.title))
    if report.tests.failed:
        return RED
    return GOOD if report.tests.ran else NOTHING_RAN


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
    _output("ending", result.ending)
    _summary(f"`{environment}`: **{ended.ending}**" + (f" ({ended.reason})" if ended.reason else ""))
    if arguments.kubeconfig:
        _leave(arguments.kubeconfig, result)
    return GOOD


def run_verdict(arguments: argparse.Namespace) -> int:
    """Says how the run ended."""
    from virtci.fleet.last_test import read_results, verdict_text

    results = read_results(arguments.results) if arguments.results.is_dir() else {}
    jobs = dict(arguments.jobs)
    endings = verdict({name: item.outcome for name, item in results.items()}, jobs, arguments.promote)
    _summary(verdict_text(endings, results, arguments.release))
    good = all(item.ending.good for item in endings.values()) and {*jobs.values(), arguments.promote} == {"success"}
    return GOOD if good else RED


def _run(run: Callable[[argparse.Namespace], int], refused: int = NOT_ASKED) -> Callable[[argparse.Namespace], int]:
    """A command whose refusals are said in words, for people and as an annotation of the job."""

    def running(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except ProblemsError as problems:
            print(problems, file=sys.stderr)
            _annotate(problems.problems)
            return refused if refused != NOT_ASKED else NOTHING_RAN
        except Refusal as refusal:
            print(f"{refusal.rule}; {refusal.consequence}\nfix: {refusal.fix}", file=sys.stderr)
            _annotate([Problem("pipeline", None, refusal.rule, refusal.consequence, refusal.fix)])
            return refused

    return running


def _annotate(problems: Sequence[Problem]) -> None:
    """What GitHub shows above the log; it ends at a line break."""
    for problem in problems if os.environ.get("GITHUB_ACTIONS") else ():
        sentence = f"{problem.rule}; {problem.consequence}; fix: {problem.fix}"
        print("::error::" + " ".join(sentence.replace("%", "%25").split()))


def _leave(kubeconfig: Path, result: Any) -> None:
    """Leaves the record in the cluster; a cluster that is gone must not keep the run from giving its machine back."""
    from virtci.fleet.actions import run_link
    from virtci.fleet.clouds import kubernetes
    from virtci.fleet.cluster_records import leave_last_test
    from virtci.fleet.last_test import record_of
    from virtci.fleet.troubles import asking

    try:
        with asking(f"the cluster of `{result.environment}`"), kubernetes(_text(kubeconfig)) as api:
            leave_last_test(api, record_of(result, datetime.now(UTC), run_link()))
    except Refusal as refusal:
        print(f"::warning::the record of this test is not in the cluster: {refusal.rule}; {refusal.consequence}")


def _contract_files(folder: Path) -> list[Path]:
    """The outputs in the variable as files of a folder, for this command and for those of later jobs."""
    try:
        named = {str(stack["stack"]): stack for stack in json.loads(os.environ.get(CONTRACT, ""))}
    except (json.JSONDecodeError, TypeError, KeyError):
        named = {}
    if not named:
        raise Refusal(
            f"{CONTRACT} holds the outputs of all stacks as a JSON list",
            "nobody knows which environments there are",
            "publish them: virtci outputs --stack STACK, for hub and every stack with environments",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, stack in named.items():
        (folder / f"{Path(name).name}.json").write_text(json.dumps(stack))
    return sorted(folder.glob("*.json"))


@contextmanager
def _digests(arguments: argparse.Namespace) -> Iterator[Callable[[str], str | None]]:
    """Where the digests come from: a file, or the registry itself."""
    if arguments.digests:
        yield json.loads(_text(arguments.digests)).get
        return
    import httpx

    from virtci.fleet.registry import Registry

    with httpx.Client(timeout=30, transport=httpx.HTTPTransport(retries=2)) as client:
        login = os.environ.get("GITHUB_ACTOR", ""), os.environ.get("GITHUB_TOKEN", "")
        registry = Registry(client, arguments.registry, *login)
        yield lambda image: registry.digest(image, arguments.version)


def _plan_text(planned: Sequence[Planned], *, checked: bool) -> str:
    from virtci.fleet.markdown import code, table

    rows = [
        [
            item.environment.value,
            "on" if item.enabled else f"off: {item.reason}",
            f"{item.suite_minutes // 60} h",
            code(item.label_filter),
        ]
        for item in planned
    ]
    parser = "Read by ginkgo's own parser." if checked else "Not read by ginkgo's own parser: it is not here."
    return f"### Plan\n\n{table(('environment', 'tests', '#limit', 'label filter'), rows)}\n\n{parser}"


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise Refusal(
            f"{file} can be read",
            f"there is nothing to work with: {error.strerror}",
            "look at the step before, which writes it",
        ) from None


def _output(name: str, value: str) -> None:
    """An output of the step. A line break in a value would begin another output."""
    value = " ".join(value.splitlines())
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as outputs:
            outputs.write(f"{name}={value}\n")
    print(f"{name}={value}")


def _summary(text: str) -> None:
    """Markdown for the summary of the job, and for the log."""
    from virtci.fleet.actions import add_summary

    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        add_summary(Path(file), text)
    print(text)
