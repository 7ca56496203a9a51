"""What a rehearsal offers for download is what the committed stack files pin, and a real deployment refuses."""

import gzip
import hashlib
import io
import tarfile

from virtci.core.placeholders import STAND_IN_CHECKSUMS
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.sandbox import k3s_binary, k3s_install_script
from virtci.rehearsal.world import read_stacks

HUB = read_stacks(("hub",))["hub"].hub


def test_pinned_checksums_are_those_of_the_stand_ins() -> None:
    assert HUB is not None
    pinned = HUB.runners.agent
    offered = [k3s_binary(), k3s_install_script(), agent.archive(pinned.version)]
    assert tuple(hashlib.sha256(content).hexdigest() for content in offered) == STAND_IN_CHECKSUMS
    assert pinned.sha256 in STAND_IN_CHECKSUMS


def test_archive_of_the_agent_unpacks_to_what_was_packed() -> None:
    """Larger than one block of the compressed file."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(agent.archive("2.336.0", size_kib=200)))) as archive:
        sizes = {entry.name: entry.size for entry in archive}
    assert sizes.keys() == {"./externals/node", *(f"./{name}" for name in agent.FILES)}
    assert sizes["./externals/node"] == 200 * 1_024
