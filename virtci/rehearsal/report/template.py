"""How pages are made of templates: everything that is printed is searched for secrets and escaped."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from virtci.rehearsal.report.facts import count
from virtci.rehearsal.report.figures import duration

TEMPLATES = Path(__file__).parent / "templates"


def environment(scrub: Callable[[str], str]) -> Environment:
    """The templates of the report, with its filters."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: scrub(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    found.filters |= {"count": count, "duration": duration, "usd": lambda value: f"{value:,.2f}"}
    return found
