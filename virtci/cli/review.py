"""`virtci review`: previews stacks for people who review a change, and writes the outcome to the pull request."""

import argparse
from pathlib import Path
from typing import Any

from virtci.cli.refusals import said
from virtci.core.problems import ProblemsError
from virtci.fleet.actions import add_summary, keep_result, repository_slug, results, run_link
from virtci.places import stack_file

MARKER = "<!-- virt-ci:preview -->"


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "review",
        help="preview stacks for a reviewer, and comment on the pull request",
        description="Previews a stack with the policies and turns what the engine did into a review without secrets: "
        "changes, vCPU against the stack's share, cost, verdicts; and puts the reviews of all stacks into one comment.",
        epilog="Exit codes: 0 may be deployed, 1 stopped by a mandatory violation, an error or a missing preview, "
        "3 the engine or GitHub cannot be asked.",
    )
    commands = parser.add_subparsers(dest="review", required=True, metavar="WHAT")
    stack = commands.add_parser("stack", help="preview one stack and write its review")
    stack.add_argument("stack", metavar="STACK")
    stack.add_argument("--to", type=Path, metavar="DIR", help="folder for the review, STACK.json")
    stack.add_argument("--summary", type=Path, metavar="FILE", help="append the review to this file as Markdown")
    stack.set_defaults(run=said(run_stack))
    comment = commands.add_parser("comment", help="write the reviews of all stacks to a pull request")
    comment.add_argument("--of", nargs="+", required=True, metavar="STACK", help="the stacks that had a preview")
    comment.add_argument("--from", type=Path, dest="source", required=True, metavar="DIR", help="folder with reviews")
    comment.add_argument("--pull-request", type=int, required=True, metavar="NUMBER")
    comment.add_argument("--commit", required=True, metavar="SHA", help="commit that was previewed")
    comment.set_defaults(run=said(run_comment))


def run_stack(arguments: argparse.Namespace) -> int:
    """Previews one stack."""
    from virtci.fleet.engine import preview
    from virtci.fleet.review import review_of
    from virtci.fleet.review_text import overview, stack_text
    from virtci.settings.load import from_file, is_rehearsal

    log = preview(arguments.stack)
    try:
        settings = from_file(stack_file(arguments.stack), rehearsal=is_rehearsal())
        review = review_of(arguments.stack, log, settings.quota, settings.budget)
    except ProblemsError:
        # The program says the same in its own error, which is in the log.
        review = review_of(arguments.stack, log, None, None)
    if arguments.to:
        keep_result(arguments.to, review.stack, review)
    if arguments.summary:
        add_summary(arguments.summary, f"{overview({review.stack: review})}\n\n{stack_text(review)}")
    print(f"{review.stack}: {'good' if review.good else 'stopped; see above'}")
    return 0 if review.good else 1


def run_comment(arguments: argparse.Namespace) -> int:
    """Writes the one comment, whatever the outcome."""
    from virtci.fleet.clouds import github
    from virtci.fleet.comments import Repository
    from virtci.fleet.review import Review
    from virtci.fleet.review_text import comment, heading

    reviews = results(arguments.source, arguments.of, Review)
    text = comment(reviews, f"Commit {arguments.commit[:12]}, [run]({run_link()}).")
    with github() as client:
        written = Repository(client, repository_slug()).put_comment(arguments.pull_request, MARKER, text)
    print(f"{heading(reviews)}\n{written}")
    return 0 if all(review and review.good for review in reviews.values()) else 1
