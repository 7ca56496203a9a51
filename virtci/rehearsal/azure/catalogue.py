"""All resource types, by SDK type and by ARM type."""

from virtci.rehearsal.azure import models, rows_compute, rows_galleries, rows_network, rows_platform, rows_storage

ROWS = (*rows_platform.ROWS, *rows_network.ROWS, *rows_compute.ROWS, *rows_galleries.ROWS, *rows_storage.ROWS)
BY_KIND = {row.kind: row for row in ROWS if row.kind}
BY_ARM = {row.arm.lower(): row for row in ROWS}


def warm_up() -> None:
    """Loads every model; for a background thread, so that a rehearsal does not wait for imports."""
    for row in ROWS:
        models.shape(row.module, row.model)
