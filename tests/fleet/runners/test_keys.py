"""The folder of people's keys: public keys without comments, or everything that is wrong with it."""

import base64
from pathlib import Path

import pytest

from virtci.core.problems import ProblemsError, Refusal
from virtci.fleet.runners.keys import MOST, public_keys


def key(number: int = 0, kind: str = "ssh-ed25519", said: str = "") -> str:
    """A public key as ssh-keygen writes it, without its comment; `said` is the kind inside of it."""
    name = (said or kind).encode()
    content = len(name).to_bytes(4, "big") + name + bytes([0, 0, 0, 32]) + bytes([number] * 32)
    return f"{kind} {base64.b64encode(content).decode()}"


def test_comments_which_name_people_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "ada.pub").write_text(f"# of Ada\n{key(1)} ada@example\n\n")
    (tmp_path / "README.md").write_text("how to add a key")
    (tmp_path / ".gitkeep").write_text("")

    assert public_keys(tmp_path) == (key(1),)


def test_a_key_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text(f"{key(1)} here\n{key(2, 'ecdsa-sha2-nistp256')}\n")
    (tmp_path / "b.pub").write_text(f"{key(1)} there\n")

    assert public_keys(tmp_path) == (key(1), key(2, "ecdsa-sha2-nistp256"))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nx",
        "-----BEGIN " + "PRIVATE KEY-----",
        "PuTTY-User-Key-File-3: ssh-ed25519",
    ],
)
def test_a_private_key_is_refused_whatever_it_is_called(tmp_path: Path, text: str) -> None:
    (tmp_path / "ada.pub").write_text(key(1))
    (tmp_path / "notes.txt").write_text(f"mine:\n{text}")

    with pytest.raises(ProblemsError, match="holds no private key") as refused:
        public_keys(tmp_path)
    assert text.splitlines()[0] not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        "ssh-dss AAAAB3NzaC1kc3M=",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 not-base64!",
        key(1, said="ssh-rsa"),
        f'command="sh" {key(1)}',
        "cert-authority " + key(1),
    ],
)
def test_a_line_that_is_no_plain_public_key_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "ada.pub").write_text(f"{key(2)}\n{line}\n")

    with pytest.raises(ProblemsError, match=r"ada\.pub:2") as refused:
        public_keys(tmp_path)
    assert line not in str(refused.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text("no key")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.pub").symlink_to("/etc/hostname")

    with pytest.raises(ProblemsError, match="3 problems"):
        public_keys(tmp_path)


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_none_and_too_many_are_refused(tmp_path: Path, count: int) -> None:
    (tmp_path / "all.pub").write_text("\n".join(key(number) for number in range(count)))

    with pytest.raises(Refusal, match=f"it holds {count}"):
        public_keys(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is a folder with public SSH keys"):
        public_keys(tmp_path / "none")
