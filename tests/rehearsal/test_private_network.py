"""The way into the private network leads to the rehearsed clusters, and nowhere else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from virtci.rehearsal.private_network import private_network

ADDRESS = "10.60.1.4:6443"


@contextmanager
def echo() -> Iterator[int]:
    """A server of this machine that gives back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while chunk := connection.recv(1024):
                    connection.sendall(chunk)

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


def asked(proxy: str, address: str) -> socket.socket:
    host, port = proxy.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    return connection


def head(connection: socket.socket) -> str:
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(1)
    return found.decode()


def test_private_address_is_a_port_of_this_machine() -> None:
    with (
        echo() as port,
        private_network({ADDRESS: port}) as environment,
        asked(environment["HTTPS_PROXY"], ADDRESS) as connection,
    ):
        assert " 200 " in head(connection)
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read() == b"hello"


def test_other_addresses_are_refused_by_name() -> None:
    with private_network({}) as environment, asked(environment["HTTPS_PROXY"], "registry.example:443") as connection:
        said = connection.makefile("rb").read().decode()
        assert " 502 " in said.splitlines()[0]
        assert "registry.example:443" in said


def test_services_of_this_machine_need_no_proxy() -> None:
    with private_network({}) as environment:
        assert "127.0.0.1" in environment["NO_PROXY"].split(",")
