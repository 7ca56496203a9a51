"""Stand-in for iptables, iptables-save and iptables-restore, where the machine has none: keeps the tables filter and raw.

Knows the words that the boot scripts and Azure Linux's own loader use, and refuses all others. Forgets at a reboot. What
it keeps is enforced where the sandbox takes connections (virtci/rehearsal/boot/firewall.py).
"""

import json
import re
import sys
from pathlib import Path

TABLE = Path("/run/sandbox-iptables.json")
BUILT_IN = {"filter": ("INPUT", "FORWARD", "OUTPUT"), "raw": ("PREROUTING", "OUTPUT")}
RULE = re.compile(
    r"(! )?(-i \w+ )?(-s [0-9./]+ )?(-d [0-9./]+ )?(-p tcp )?(-m conntrack --ctstate [A-Z,]+ )?"
    r"(-m multiport --dports [0-9,]+ )?(-m tcp --dport \d+ )?(-m owner ! --uid-owner \d+ )?-j [A-Z-]+"
)
Chains = dict[str, dict[str, object]]
Tables = dict[str, Chains]


def main(program: str, arguments: list[str]) -> int:
    """One command line."""
    words = [word for word in arguments if word not in ("--wait", "-w")]
    table, tables = "", _read()
    if words[:1] == ["--table"]:
        table, words = words[1], words[2:]
    if table and table not in tables:
        return _refuse("can't initialize iptables table", [table])
    if program == "iptables-save":
        return _save(tables, [table] if table else list(tables)) if not words else _refuse(program, arguments)
    if program == "iptables-restore":
        return _restore(tables, words == ["--noflush"], sys.stdin.read())
    return _keep(tables) if _change(tables[table or "filter"], words) else 1


def _change(chains: Chains, words: list[str]) -> bool:
    verb, *rest = words
    if verb == "--new-chain":
        if rest[0] in chains:
            return not _refuse("Chain already exists", rest)
        chains[rest[0]] = {"policy": "-", "rules": []}
    elif verb in ("--check", "--insert"):
        chain = rest[0]
        rule = "-j " + rest[-1]
        if chain not in chains or rest[-1] not in chains or rest[-2] != "--jump":
            return not _refuse("No chain/target/match by that name", rest)
        if verb == "--check":
            return rule in _rules(chains, chain)
        _rules(chains, chain).insert(int(rest[1]) - 1, rule)
    else:
        return not _refuse("unknown command", words)
    return True


def _restore(tables: Tables, adds: bool, text: str) -> int:
    chains: Chains = {}
    for line in text.splitlines():
        if not line or line[0] == "#" or line == "COMMIT":
            continue
        if line[0] == "*" and line[1:] in tables:
            chains = tables[line[1:]]
            if not adds:
                chains.clear()
                chains.update(_empty()[line[1:]])
            continue
        if line[0] == ":":
            name, policy, _ = line[1:].split(" ")
            chains[name] = {"policy": policy, "rules": []}
            continue
        add, chain, rule = line.split(" ", 2)
        if add != "-A" or chain not in chains or not RULE.fullmatch(rule):
            return _refuse("iptables-restore: line failed", [line])
        _rules(chains, chain).append(rule)
    return _keep(tables)


def _save(tables: Tables, names: list[str]) -> int:
    lines = ["# stand-in"]
    for name in names:
        chains = tables[name]
        lines += [f"*{name}", *(f":{chain} {kept['policy']} [0:0]" for chain, kept in chains.items())]
        lines += [*(f"-A {chain} {rule}" for chain in chains for rule in _rules(chains, chain)), "COMMIT"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _rules(chains: Chains, name: str) -> list[str]:
    rules = chains[name]["rules"]
    return rules if isinstance(rules, list) else []


def _empty() -> Tables:
    return {table: {name: {"policy": "ACCEPT", "rules": []} for name in chains} for table, chains in BUILT_IN.items()}


def _read() -> Tables:
    return json.loads(TABLE.read_text()) if TABLE.exists() else _empty()


def _keep(tables: Tables) -> int:
    TABLE.write_text(json.dumps(tables))
    return 0


def _refuse(why: str, words: list[str]) -> int:
    sys.stderr.write(f"{why}: {words}\n")
    return 1


def run() -> int:
    """This process's own command line."""
    return main(Path(sys.argv[0]).name, sys.argv[1:])
