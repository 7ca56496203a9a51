"""What the stand-in of iptables keeps, enforced: whether a connection of the sandbox gets out.

Where the machine has the real iptables, its kernel enforces the rules, and there is nothing to read here.
"""

import json
import re
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

KEPT = "run/sandbox-iptables.json"
OUT = "OUTPUT"
_ESTABLISHED = "01"  # of the states in /proc/net/tcp
_WORDS = re.compile(
    r"(?:-d (?P<target>\S+) )?(?:-p tcp )?(?:-m conntrack --ctstate (?P<state>\S+) )?"
    r"(?:-m multiport --dports (?P<ports>\S+) )?(?:-m owner ! --uid-owner (?P<owner>\d+) )?-j (?P<verdict>\S+)"
)


def lets_out(process: Path, target: str, port: int, client_port: int) -> bool:
    """Whether the sandbox of a process (`/proc/N`) lets a new TCP connection out to where it was accepted."""
    kept = process / "root" / KEPT
    if not kept.exists():
        return True
    chains: dict[str, Any] = json.loads(kept.read_text())["filter"]
    verdict = _verdict(chains, OUT, target, port, _owner(process, target, port, client_port))
    return (verdict or chains[OUT]["policy"]) == "ACCEPT"


def _verdict(chains: dict[str, Any], name: str, target: str, port: int, owner: int) -> str:
    """What a chain says of a new connection; nothing when it says nothing."""
    for rule in chains[name]["rules"]:
        words = _WORDS.fullmatch(rule)
        if words is None or not _matches(words, target, port, owner):
            continue
        verdict = words["verdict"]
        if verdict == "RETURN":
            return ""
        found = _verdict(chains, verdict, target, port, owner) if verdict in chains else verdict
        if found:
            return found
    return ""


def _matches(words: re.Match[str], target: str, port: int, owner: int) -> bool:
    return (
        (words["target"] is None or ip_address(target) in ip_network(words["target"]))
        and (words["state"] is None or "NEW" in words["state"].split(","))
        and (words["ports"] is None or str(port) in words["ports"].split(","))
        and (words["owner"] is None or owner != int(words["owner"]))
    )


def _owner(process: Path, target: str, port: int, client_port: int) -> int:
    """Whose a connection is, as the kernel of the sandbox lists it."""
    there = f"{int.from_bytes(IPv4Address(target).packed, 'little'):08X}:{port:04X}"
    for line in (process / "net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, _, _, _, user, *_ = line.split()
        if remote == there and local.endswith(f":{client_port:04X}") and state == _ESTABLISHED:
            return int(user)
    return 0
