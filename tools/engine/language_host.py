"""The Python language host of the Pulumi engine, for an engine that was built from its Go module.

The release archive brings one; the module does not. The engine starts this program from PATH with its own
address, reads the port from the first line on stdout, then asks over gRPC to run programs and plugins.
Dependencies are installed by the set-up, so nothing here installs or resolves packages.
"""

import asyncio
import importlib.metadata
import json
import os
import signal
import sys
import sysconfig
import types
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict


def skip_the_sdk() -> None:
    """Lets the protocol's stubs be imported without the SDK around them: the engine starts two hosts for a preview."""
    for name in ("pulumi", "pulumi.runtime"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(sysconfig.get_path("purelib"), *name.split(".")))]
        sys.modules[name] = package


skip_the_sdk()

from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2  # noqa: E402  without the SDK around them

MESSAGE_ALREADY_SHOWN = 32
EXECUTOR = "pulumi-language-python-exec"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and plugins as child processes, and ends them at once when the engine says so."""

    def __init__(self, engine_address: str) -> None:
        """Remembers the engine, to whom programs report."""
        self.engine_address = engine_address
        self.children: set[asyncio.subprocess.Process] = set()

    async def Handshake(self, request: Any, context: Any) -> language_pb2.LanguageHandshakeResponse:
        """The engine introduces itself; its address is the one that programs report to."""
        self.engine_address = request.engine_address or self.engine_address
        return language_pb2.LanguageHandshakeResponse()

    async def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        """The version of the SDK, which is the version of the engine."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    async def GetRequiredPackages(self, request: Any, context: Any) -> language_pb2.GetRequiredPackagesResponse:
        """Every provider whose SDK is installed: its name and version as the SDK itself records them."""
        return language_pb2.GetRequiredPackagesResponse(packages=required_packages())

    async def GetRequiredPlugins(self, request: Any, context: Any) -> language_pb2.GetRequiredPluginsResponse:
        """The older form of the same question."""
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(name=package.name, kind=package.kind, version=package.version)
                for package in required_packages()
            ]
        )

    async def GetProgramDependencies(self, request: Any, context: Any) -> language_pb2.GetProgramDependenciesResponse:
        """What is installed beside the program."""
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=package.name, version=package.version)
                for package in importlib.metadata.distributions()
            ]
        )

    async def About(self, request: Any, context: Any) -> language_pb2.AboutResponse:
        """Which Python runs the programs."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    async def InstallDependencies(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Refuses: the set-up installs from the lock, and a second installer would drift from it."""
        message = "packages are installed by `make setup` from requirements.lock\n"
        yield language_pb2.InstallDependenciesResponse(stderr=message.encode())
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)

    async def Run(self, request: Any, context: Any) -> language_pb2.RunResponse:
        """Runs a program to its end; what it prints reaches the engine through our own output."""
        options = [
            *("--monitor", request.monitor_address),
            *("--engine", self.engine_address),
            *("--project", request.project),
            *("--root_directory", request.info.root_directory),
            *("--stack", request.stack),
            *("--pwd", request.pwd),
            *("--dry_run", "true" if request.dryRun else "false"),
            *("--parallel", str(request.parallel)),
            *("--organization", request.organization),
        ]
        environment = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        executor = Path(__file__).resolve().parents[2] / ".engine" / "bin" / EXECUTOR
        child = await self.start(
            [python_of(request.info), "-u", str(executor), *options, program_of(request.info)],
            environment,
        )
        code = await self.end_of(child)
        if code == MESSAGE_ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        error = f"the program ended with exit code {code}" if code else ""
        return language_pb2.RunResponse(error=error)

    async def RunPlugin(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Runs a policy pack or another plugin and streams what it prints."""
        folder = Path(request.info.program_directory)
        target = (
            ["-m", "pulumi.policy", *request.args, str(folder)]
            if request.kind == "analyzer"
            else [str(folder), *request.args]
        )
        child = await self.start(
            [python_of(request.info), "-u", *target],
            dict(pair.split("=", 1) for pair in request.env),
            cwd=str(folder) if request.kind == "analyzer" else request.pwd,
            pipes=True,
        )
        chunks: asyncio.Queue[Any] = asyncio.Queue()

        async def pump(stream: asyncio.StreamReader, wrap: Callable[[bytes], Any]) -> None:
            while data := await stream.read(4096):
                await chunks.put(wrap(data))
            await chunks.put(None)

        assert child.stdout
        assert child.stderr
        pumps = [
            asyncio.create_task(pump(child.stdout, lambda data: language_pb2.RunPluginResponse(stdout=data))),
            asyncio.create_task(pump(child.stderr, lambda data: language_pb2.RunPluginResponse(stderr=data))),
        ]
        try:
            open_streams = len(pumps)
            while open_streams:
                if (chunk := await chunks.get()) is None:
                    open_streams -= 1
                else:
                    yield chunk
            yield language_pb2.RunPluginResponse(exitcode=await self.end_of(child))
        finally:
            self.stop(child)

    async def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Ends every child; the engine waits five seconds for those that linger."""
        self.stop_all()
        return empty_pb2.Empty()

    async def start(
        self, command: list[str], environment: dict[str, str], cwd: str | None = None, pipes: bool = False
    ) -> asyncio.subprocess.Process:
        """Starts a child in a process group of its own, so that its end takes its own children along."""
        output = asyncio.subprocess.PIPE if pipes else None
        child = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self.children.add(child)
        return child

    async def end_of(self, child: asyncio.subprocess.Process) -> int:
        """Waits for a child; a cancelled wait ends it."""
        try:
            return await child.wait()
        finally:
            self.stop(child)

    def stop(self, child: asyncio.subprocess.Process) -> None:
        """Ends a child and everything that it started."""
        self.children.discard(child)
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGTERM)

    def stop_all(self) -> None:
        """Ends all children."""
        for child in list(self.children):
            self.stop(child)


def required_packages() -> list[plugin_pb2.PackageDependency]:
    """Reads the `pulumi-plugin.json` that every provider SDK carries."""
    packages = []
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            if file.name == "pulumi-plugin.json":
                plugin = json.loads(file.read_text())
                if plugin.get("resource"):
                    packages.append(
                        plugin_pb2.PackageDependency(
                            name=plugin["name"], kind="resource", version=plugin.get("version", "")
                        )
                    )
    return packages


def python_of(info: Any) -> str:
    """The interpreter of the `virtualenv` option, which is relative to the project's root."""
    options = MessageToDict(info.options)
    if folder := options.get("virtualenv"):
        return str(Path(info.root_directory) / str(folder) / "bin" / "python")
    return sys.executable


def program_of(info: Any) -> str:
    """The entry point; `.` means the folder of the program."""
    return str(info.entry_point or ".")


async def serve(engine_address: str) -> None:
    """Serves until a signal arrives; the first line on stdout is the port."""
    server = grpc.aio.server()
    host = LanguageHost(engine_address)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    orphaned = asyncio.create_task(end_with(os.getppid(), ended))
    await ended.wait()
    orphaned.cancel()
    host.stop_all()
    await server.stop(grace=None)


async def end_with(engine: int, ended: asyncio.Event) -> None:
    """Ends the host when the engine is gone: one that was killed sends no signal."""
    while os.getppid() == engine:
        await asyncio.sleep(1)
    ended.set()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[-1] if len(sys.argv) > 1 else ""))
