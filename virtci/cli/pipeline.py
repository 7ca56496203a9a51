"""`virtci pipeline`: the decisions of the KubeVirt pipeline, for its workflow files to call."""

from typing import Any

from virtci.cli import pipeline_environment, pipeline_run


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
    pipeline_run.add_to(commands)
    pipeline_environment.add_to(commands)
