"""What a rehearsal offers for download is what the committed stack files pin, and a real deployment refuses."""

import hashlib

from virtci.core.placeholders import STAND_IN_CHECKSUMS
from virtci.rehearsal.boot.sandbox import k3s_binary, k3s_install_script


def test_pinned_checksums_are_those_of_the_stand_ins() -> None:
    offered = [k3s_binary(), k3s_install_script()]
    assert tuple(hashlib.sha256(content).hexdigest() for content in offered) == STAND_IN_CHECKSUMS
