"""`virtci pipeline …`: the decisions about a whole run."""

import argparse
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from virtci.cli.step import GOOD, JOB_RESULTS, RED, answering, set_output, text_of, write_summary
from virtci.cli.targets import add_outputs, fleet
from virtci.core.pipeline import FIRST, Declared, Planned, check_promotion, plan, verdict, version_of
from virtci.core.problems import Refusal
from virtci.outputs.contract import VARIABLE


def add_to(commands: Any) -> None:
    """Adds the commands."""
    for add in (_add_plan, _add_release, _add_promote, _add_verdict, _add_compare, _add_publish):
        add(commands)


def _add_plan(commands: Any) -> None:
    command = commands.add_parser("plan", help="say what each environment tests")
    add_outputs(command)
    command.add_argument("--version", required=True, help="version of KubeVirt that the branch is based on: v1.8.2")
    command.add_argument("--run-number", type=int, required=True, metavar="NUMBER")
    command.add_argument(
        "--contract", type=Path, metavar="DIR", help=f"write the outputs in {VARIABLE} here and use them"
    )
    command.add_argument(
        "--disk", default="", metavar="IMAGE", help="container disk of the benchmark; default: none is run"
    )
    command.add_argument("--parser", choices=("required", "if-there"), default="if-there", help="ginkgo's own parser")
    command.set_defaults(run=answering(run_plan))


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
    command.set_defaults(run=answering(run_release))


def _add_promote(commands: Any) -> None:
    command = commands.add_parser("promote", help="let a release go on that passed the first environment")
    command.add_argument("--results", type=Path, required=True, metavar="DIR", help="folder with its result")
    command.add_argument("--release", type=Path, required=True, metavar="DIR")
    command.add_argument("--built", required=True, metavar="DIGEST", help="digest that the build named")
    command.set_defaults(run=answering(run_promote))


def _add_verdict(commands: Any) -> None:
    command = commands.add_parser("verdict", help="say how the run ended: 1 when it is not good")
    command.add_argument("--results", type=Path, required=True, metavar="DIR")
    command.add_argument("--release", default="", metavar="DIGEST")
    command.add_argument(
        "--job", nargs=2, action="append", required=True, metavar=("NAME", "RESULT"), dest="jobs",
        help="result of a job before the environments; once for each, in order",
    )  # fmt: skip
    command.add_argument("--promote", required=True, choices=JOB_RESULTS, help="result of the job")
    command.set_defaults(run=answering(run_verdict))


def _add_compare(commands: Any) -> None:
    command = commands.add_parser("compare", help="compare the measurements of the benchmark with those of KVM")
    command.add_argument("--results", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--startup-limit", type=float, default=math.inf, metavar="RATIO",
        help="how many times as long as on KVM a start may take; default: not judged",
    )  # fmt: skip
    command.add_argument("--enforce", action="store_true", help="1 when a limit of L1VH is broken")
    command.set_defaults(run=answering(run_compare))


def _add_publish(commands: Any) -> None:
    command = commands.add_parser(
        "publish",
        help=f"write the outputs of the fleet to the variable {VARIABLE} of the repository that uses it",
        description=f"Creates or changes the variable {VARIABLE}, and says what changed. Needs GITHUB_TOKEN of a GitHub App "
        "with the repository permission Variables: write. Refuses outputs that break the contract, are those of a "
        "rehearsal, hold a secret, or are more than a variable holds.",
    )
    add_outputs(command)
    command.add_argument(
        "--repository", metavar="OWNER/NAME", help="default: the one that uses the environments of these outputs"
    )
    command.set_defaults(run=answering(run_publish))


def run_plan(arguments: argparse.Namespace) -> int:
    """Plans, or says everything that is wrong with the contract."""
    from virtci.fleet.label_parser import label_parser
    from virtci.settings.types import image_by_digest

    if arguments.disk:
        image_by_digest(arguments.disk)
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
    set_output("version", version_of(arguments.version, arguments.run_number))
    set_output("labels", json.dumps(list(planned[0].labels)))
    set_output("first", json.dumps(first))
    set_output("matrix", json.dumps({"include": others}))
    write_summary(_plan_text(planned, checked=parser is not None))
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
            manifest=text_of(arguments.manifest),
            digest_of=digest_of,
        )
    set_output("digest", digest)
    write_summary(f"### Release {arguments.version}\n\n`{digest}`")
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
    set_output("digest", found.release)
    write_summary(f"### Promoted\n\n`{found.release}` passed {found.passed} tests in `{FIRST}` and goes on unchanged.")
    return GOOD


def run_verdict(arguments: argparse.Namespace) -> int:
    """Says how the run ended."""
    from virtci.fleet.last_test import read_results, verdict_text

    results = read_results(arguments.results) if arguments.results.is_dir() else {}
    jobs = dict(arguments.jobs)
    endings = verdict({name: item.outcome for name, item in results.items()}, jobs, arguments.promote)
    write_summary(verdict_text(endings, results, arguments.release))
    good = all(item.ending.good for item in endings.values()) and {*jobs.values(), arguments.promote} == {"success"}
    return GOOD if good else RED


def run_compare(arguments: argparse.Namespace) -> int:
    """Compares what was measured; what was not is named and makes nothing red."""
    from virtci.fleet.benchmark_results import comparison, read_measurements

    text, faults = comparison(read_measurements(arguments.results), arguments.startup_limit)
    write_summary(text)
    return RED if faults and arguments.enforce else GOOD


def run_publish(arguments: argparse.Namespace) -> int:
    """Publishes the outputs of the hub and of the environments; the pipeline needs no others."""
    from virtci.fleet.clouds import github
    from virtci.fleet.publishing import publish, published_text, variable_text

    known = fleet(arguments)
    repository = arguments.repository or known.repository
    text = variable_text(stack for stack in known.stacks if stack.vault or stack.environments)
    with github() as client:
        write_summary(published_text(publish(client, repository, text), repository))
    return GOOD


def _contract_files(folder: Path) -> list[Path]:
    """The outputs in the variable as files of a folder, for this command and for those of later jobs."""
    try:
        named = {str(stack["stack"]): stack for stack in json.loads(os.environ.get(VARIABLE, ""))}
    except (json.JSONDecodeError, TypeError, KeyError):
        named = {}
    if not named:
        raise Refusal(
            f"{VARIABLE} holds the outputs of all stacks as a JSON list",
            "nobody knows which environments there are",
            "publish them: the workflow `deploy` of the infrastructure repository does, or virtci pipeline publish",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, stack in named.items():
        (folder / f"{Path(name).name}.json").write_text(json.dumps(stack))
    return sorted(folder.glob("*.json"))


@contextmanager
def _digests(arguments: argparse.Namespace) -> Iterator[Callable[[str], str | None]]:
    """Where the digests come from: a file, or the registry itself."""
    if arguments.digests:
        yield json.loads(text_of(arguments.digests)).get
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
