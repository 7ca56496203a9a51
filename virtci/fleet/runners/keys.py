"""The public SSH keys of the people who look at machines: files of a folder of the repository, one or more keys each.

A comment beside a key is often a person's name or address: it goes nowhere.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

from virtci.core.problems import Problem, ProblemsError, Refusal

MOST = 20
"""Keys that fit into the user data of EC2 beside the boot text, also long ones."""
LARGEST = 16_384
"""Bytes of a file: the longest public key that people use has not a tenth of it."""
PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-", re.IGNORECASE)
KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
HARDWARE = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")


def public_keys(folder: Path) -> tuple[str, ...]:
    """The keys of a folder without their comments, each once. Files that begin with a dot or `README` are none.

    Raises `Refusal` for a folder that is not there or holds no key, `ProblemsError` for everything in it that is none.
    """
    if not folder.is_dir():
        raise Refusal(
            f"`{folder}` is a folder with public SSH keys",
            "nobody could look at a machine whose run failed",
            "check the repository out, or name the folder: --keys FOLDER",
        )
    problems: list[Problem] = []
    found: dict[str, None] = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith((".", "README")):
            continue
        for item in _keys_of(file):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                found[item] = None
    if problems:
        raise ProblemsError(f"keys in {folder}", problems)
    if not 0 < len(found) <= MOST:
        raise Refusal(
            f"`{folder}` holds 1 to {MOST} public SSH keys; it holds {len(found)}",
            "nobody could look at a machine, or its boot text would be larger than EC2 takes",
            "keep the .pub files of those who look at failed machines",
        )
    return tuple(found)


def _keys_of(file: Path) -> Iterator[str | Problem]:
    """The keys of a file, or what is wrong with it; nothing of its text is ever repeated."""
    if not file.is_file() or file.is_symlink() or file.stat().st_size > LARGEST:
        yield _problem(file.name, "a file of the folder, of public keys and of at most 16 KiB", "nothing of it is used")
        return
    text = file.read_bytes().decode("utf-8", "replace")
    if PRIVATE.search(text):
        yield Problem(
            file.name, "(not shown)", "a folder of public keys holds no private key",
            "everybody who reads the repository has it, and it would lie on every machine",
            "replace the key pair wherever it is used, remove the file from the repository and its history, keep the .pub file",
        )  # fmt: skip
        return
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            kept = _key(words)
            yield kept or _problem(
                f"{file.name}:{number}", f"a line is a public key: {', '.join(KINDS)}", "it is no key"
            )


def _key(words: list[str]) -> str | None:
    """The kind and the key; nothing unless the key itself says the same kind (RFC 4253, 6.6)."""
    if len(words) < 2 or words[0] not in (*KINDS, *HARDWARE):
        return None
    try:
        content = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    kind = words[0].encode()
    return " ".join(words[:2]) if content.startswith(len(kind).to_bytes(4, "big") + kind) else None


def _problem(key: str, rule: str, consequence: str) -> Problem:
    return Problem(key, "(not shown)", rule, consequence, "keep only the .pub files that ssh-keygen writes")
