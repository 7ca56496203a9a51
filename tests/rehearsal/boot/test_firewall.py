"""The stand-in of iptables is enforced: who gets out of a sandbox, and where to."""

from collections.abc import Iterator

import pytest

from tests.rehearsal.boot.cloud import handler
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable

HOST = "example.test"
RULES = """\
*filter
:LOCK - [0:0]
-A LOCK -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A LOCK -d 169.254.169.254/32 -m owner ! --uid-owner 0 -j REJECT
-A LOCK -p tcp -m multiport --dports 8080,9090 -j DROP
COMMIT
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    if unavailable():
        pytest.skip(unavailable())
    answer = handler(lambda *_: (200, b"here"))
    services = [
        Service((METADATA_ADDRESS,), answer, port=80, tls=False),
        Service((HOST,), answer, port=80, tls=False),
        Service(("other.test",), answer, port=8080, tls=False),
    ]
    with sandbox(services) as made:
        yield made


@pytest.fixture
def locked(box: Sandbox) -> Iterator[Sandbox]:
    assert box.run("iptables-restore", "--wait", "--noflush", stdin=RULES).returncode == 0
    box.run("iptables", "--wait", "--insert", "OUTPUT", "1", "--jump", "LOCK")
    yield box
    box.run("iptables-restore", "--wait", stdin="*filter\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")


def reaches(box: Sandbox, address: str, user: int) -> bool:
    asking = ["curl", "--silent", "--max-time", "5", f"http://{address}/"]
    return box.run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *asking).stdout == "here"


def test_without_rules_everybody_gets_out(box: Sandbox) -> None:
    assert all(
        reaches(box, address, user) for address in (METADATA_ADDRESS, HOST, "other.test:8080") for user in (0, 65_534)
    )


def test_a_rule_for_all_but_one_owner_stops_the_others(locked: Sandbox) -> None:
    assert reaches(locked, METADATA_ADDRESS, 0)
    assert not reaches(locked, METADATA_ADDRESS, 65_534)


def test_a_rule_for_an_address_says_nothing_of_another(locked: Sandbox) -> None:
    assert reaches(locked, HOST, 65_534)


def test_a_rule_for_ports_stops_everybody(locked: Sandbox) -> None:
    assert not reaches(locked, "other.test:8080", 0)


def test_a_restart_forgets_the_rules(locked: Sandbox) -> None:
    locked.reboot()
    assert reaches(locked, METADATA_ADDRESS, 65_534)
