"""One self-contained HTML page about a rehearsal."""

from virtci.rehearsal.report.page import write_report

__all__ = ["write_report"]
