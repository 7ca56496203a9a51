"""The HTTP face of the simulated AWS, for the provider and for real clients of the run-time commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from virtci.rehearsal.aws.calls import UNUSABLE
from virtci.rehearsal.aws.cloud import Aws
from virtci.rehearsal.azure.server import face, listen


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the cloud listens."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """How a client of AWS is told to ask here and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": UNUSABLE,
            "AWS_SECRET_ACCESS_KEY": UNUSABLE,
        }


@contextmanager
def serve(aws: Aws) -> Iterator[Endpoint]:
    """Serves the cloud on a free local port until the block ends."""
    with listen(face(aws.request)) as port:
        yield Endpoint(f"http://127.0.0.1:{port}")
