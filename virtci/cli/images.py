"""`virtci images`: the versions of the image that on-demand runners are made from."""

import argparse
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtci.cli.refusals import said
from virtci.cli.step import text_of
from virtci.cli.targets import progress, stack_settings
from virtci.core.problems import Refusal
from virtci.core.runners.agent_versions import MARGIN, agent_fault
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import KEPT, Seen, Version, latest, next_version

if TYPE_CHECKING:
    from virtci.fleet.runners.images import Images
    from virtci.settings.models import Settings

GOOD, TO_BE_REBUILT = 0, 1
STACK = "kontain"
EPILOG = "Exit codes: 0 done, 3 not possible, with the reason and the fix. docs/images.md has the whole way."


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    images = subparsers.add_parser(
        "images", help="versions of the runner image: list, promote, roll back, prune, check"
    )
    verbs = images.add_subparsers(dest="verb", required=True, metavar="VERB")
    _verb(verbs, "next-version", run_next, "the version of the next build, newer than all in both clouds")
    _verb(verbs, "list", run_list, "all versions: state, age, parts").add_argument("--json", action="store_true")
    _inputs(_verb(verbs, "inputs", run_inputs, "what the stack file says to Packer, as a file of variables (JSON)"))
    record = _verb(verbs, "record", run_record, "write what a build put into a version to its tags")
    record.add_argument("document", type=Path, metavar="FILE", help="image.json of the build")
    _promote(
        _verb(verbs, "promote", run_promote, "offer a version whose canary passed: it becomes the latest", one=True)
    )
    rollback = _verb(verbs, "rollback", run_rollback, "go back to the version that was offered before", one=True)
    rollback.add_argument("--to", metavar="VERSION", help="go back to this one")
    prune = _verb(verbs, "prune", run_prune, "delete what is neither offered lately nor used")
    prune.add_argument("--keep", type=int, default=KEPT, metavar="N", help=f"offered versions to keep; default: {KEPT}")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    check = _verb(verbs, "check", run_check, "whether the images, and the agent of the stack file, still get jobs")
    check.add_argument("--days", type=int, default=MARGIN.days, metavar="N", help=f"default: {MARGIN.days} days ahead")
    check.add_argument(
        "--only", choices=["images", "agent"], help="only the images, or only the agent of the stack file"
    )
    check.epilog = "Exit codes: 0 all good, 1 an image or the agent must be renewed, 3 somebody did not answer."


def _verb(verbs: Any, name: str, run: Any, words: str, *, one: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=words, description=f"{words[0].upper()}{words[1:]}.", epilog=EPILOG
    )
    parser.add_argument("--stack", default=STACK, help=f"stack that declares the runners; default: {STACK}")
    if name not in ("next-version", "inputs"):
        usual = "" if one else "; default: all of the stack"
        parser.add_argument("--cloud", choices=list(Cloud), required=one, help=f"cloud{usual}")
    parser.set_defaults(run=said(run))
    return parser


def _inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cloud", choices=list(Cloud), metavar="CLOUD", help="azure or ec2")
    parser.add_argument("--version", metavar="VERSION", help="default: the next one")


def _promote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help="YYYY.MM.N")
    canary = parser.add_mutually_exclusive_group(required=True)
    canary.add_argument("--seen", type=Path, metavar="FILE", help="seen.json of the canary")
    canary.add_argument("--without-canary", metavar="REASON", help="why there was none; stays with the version")


def run_next(arguments: argparse.Namespace) -> int:
    """Prints the next version."""
    print(_next(_settings(arguments), arguments.stack))
    return GOOD


def run_inputs(arguments: argparse.Namespace) -> int:
    """Prints variables of Packer."""
    from virtci.fleet.clouds import github
    from virtci.fleet.runners.image_inputs import packer_variables
    from virtci.fleet.runners.images import agent_release

    settings, cloud = _settings(arguments), Cloud(arguments.cloud)
    version = Version.parse(arguments.version) if arguments.version else _next(settings, arguments.stack)
    with github() as client:
        agent = agent_release(client, settings.repository)
    print(json.dumps(packer_variables(settings, arguments.stack, cloud, version, agent), indent=2))
    return GOOD


def run_list(arguments: argparse.Namespace) -> int:
    """Prints all versions."""
    found = [(images, images.versions(), images.used()) for images in _images(arguments)]
    rows = [
        {
            "cloud": images.cloud.value,
            "version": str(item.version),
            "state": item.state.value if item.ready else f"{item.state.value}, not ready",
            "latest": item is latest(versions),
            "used": item.version in used,
            "made": f"{item.made:%Y-%m-%d}",
            "parts": dict(item.parts),
        }
        for images, versions, used in found
        for item in reversed(versions)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _show(rows)
    return GOOD


def run_record(arguments: argparse.Namespace) -> int:
    """Tags a version with its parts."""
    from virtci.fleet.runners.images import record

    seen = _document(arguments.document)
    arguments.cloud = arguments.cloud or seen.cloud
    for images in _images(arguments):
        record(images, seen)
    return GOOD


def run_promote(arguments: argparse.Namespace) -> int:
    """Offers a version."""
    from virtci.fleet.clouds import github
    from virtci.fleet.runners.images import agent_schedules, promote
    from virtci.fleet.waiting import now

    version = Version.parse(arguments.version)
    seen = _document(arguments.seen) if arguments.seen else arguments.without_canary
    (images,) = _images(arguments)
    with github() as client:
        promote(images, version, seen, agent_schedules(client, _settings(arguments).repository), now())
    print(f"{version} is the latest in {images.cloud}; to go back: virtci images rollback --cloud {images.cloud}")
    return GOOD


def run_rollback(arguments: argparse.Namespace) -> int:
    """Goes back to an older version."""
    from virtci.fleet.runners.images import rollback

    (images,) = _images(arguments)
    chosen, withdrawn = rollback(images, Version.parse(arguments.to) if arguments.to else None)
    gone = ", ".join(str(item.version) for item in withdrawn) or "nothing"
    print(f"{chosen.version} is the latest in {images.cloud}; withdrawn: {gone}")
    return GOOD


def run_prune(arguments: argparse.Namespace) -> int:
    """Deletes old versions."""
    from virtci.fleet.runners.images import prune

    words = "would be deleted" if arguments.dry_run else "deleted"
    for images in _images(arguments):
        for item in prune(images, arguments.keep, dry_run=arguments.dry_run):
            print(f"{words}: {item.version} in {images.cloud} ({item.state})")
    return GOOD


def run_check(arguments: argparse.Namespace) -> int:
    """Tells whether images and agent are good for some time."""
    from virtci.fleet.clouds import github
    from virtci.fleet.runners.image_inputs import require_runners
    from virtci.fleet.runners.images import agent_schedules, faults
    from virtci.fleet.waiting import now

    settings, margin, found = _settings(arguments), timedelta(days=arguments.days), list[str]()
    pinned = require_runners(settings, arguments.stack).agent.version
    with github() as client:
        schedules = agent_schedules(client, settings.repository)
        for images in _images(arguments) if arguments.only != "agent" else ():
            found += faults(images, schedules, now(), margin)
        own = agent_fault(pinned, schedules(pinned), now(), margin) if arguments.only != "images" else ""
    if own:
        found.append(f"stack `{arguments.stack}`: {own}. Set runners.agent in its file to a newer release")
    for fault in found:
        print(fault, file=sys.stderr)
        if os.environ.get("GITHUB_ACTIONS"):
            print(f"::error::{fault}")
    if not found:
        checked = {"images": "all images are", "agent": f"agent {pinned} is"}
        words = checked.get(arguments.only, f"all images, and agent {pinned}, are")
        print(f"{words} good for {arguments.days} days")
    return TO_BE_REBUILT if found else GOOD


def _settings(arguments: argparse.Namespace) -> "Settings":
    return stack_settings(arguments.stack, "nobody knows where the images are")


def _images(arguments: argparse.Namespace) -> "list[Images]":
    """The image in each cloud of the stack, or in the one that is named. Raises `Refusal` where there is none."""
    return connected(_settings(arguments), arguments.stack, arguments.cloud)


def connected(settings: "Settings", stack: str, cloud: str | None = None) -> "list[Images]":
    """The interface to each cloud of a stack, or to one of them. Raises `Refusal` where there is none."""
    from virtci.fleet.clouds import connect
    from virtci.fleet.runners.aws_images import AwsImages, ec2_clients
    from virtci.fleet.runners.azure_images import AzureImages
    from virtci.fleet.runners.image_inputs import require_runners

    runners = require_runners(settings, stack)
    found: list[Images] = []
    if runners.azure and cloud in (None, Cloud.AZURE):
        azure = runners.azure
        place = {"resource_group": azure.resource_group, "gallery": azure.gallery, "name": runners.image}
        found.append(AzureImages(clouds=connect(settings.subscription), **place))
    if runners.aws and cloud in (None, Cloud.EC2):
        found.append(AwsImages(clients=ec2_clients(runners.aws.regions), name=runners.image))
    if not found:
        raise Refusal(
            f"stack `{stack}` has runners in {cloud or 'a cloud'}", "it has no image there", "name another one"
        )
    return found


def _next(settings: "Settings", stack: str) -> Version:
    from virtci.fleet.waiting import now

    known = [item.version for images in connected(settings, stack) for item in images.versions()]
    return next_version(known, now().date())


def _document(file: Path) -> Seen:
    try:
        return Seen.read(json.loads(text_of(file)))
    except json.JSONDecodeError:
        return Seen.read(None)


def _show(rows: list[dict[str, Any]]) -> None:
    from virtci.cli.tables import add_row, new_table, print_table

    if not rows:
        progress("there is no version; build one: make -C cloud/azure L0BaseImage, make -C cloud/aws L0BaseImage")
        return
    table = new_table("cloud", "version", "state", "made", "parts")
    for row in rows:
        marks = [name for name in ("latest", "used") if row[name]]
        state = ", ".join([row["state"], *marks])
        parts = " ".join(f"{name}={value}" for name, value in row["parts"].items() if name != "sbom")
        add_row(table, row["cloud"], row["version"], state, row["made"], parts)
    print_table(table)
