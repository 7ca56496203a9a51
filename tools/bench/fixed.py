"""What a preview costs before it meets the first resource."""

import ast
import subprocess
import sys
import time

from tools.bench.figures import Figure, beyond, figure, itself
from tools.bench.lab import Lab, Measure
from virtci.places import ROOT

TARGET_SECONDS = 2.5


def measure(lab: Lab) -> list[Figure]:
    """The empty stack of ours, the engine's own minimum, and the imports that lie between."""
    found = lab.in_turn(
        {
            "bare": lab.program("bare"),
            "empty": lab.program("empty"),
            "python": _python(""),
            "import pulumi": _python("import pulumi"),
            "all imports": _python(_imports()),
        }
    )
    start = found["python"]
    bare = figure(("a", "preview, program that imports only pulumi", "s"), itself, found["bare"])
    imports = ("a", "imports of the real program", "s")
    return [
        figure(
            ("a", "preview, empty stack of ours", "s"),
            itself,
            found["empty"],
            target=TARGET_SECONDS,
            against=(bare, "only pulumi"),
        ),
        bare,
        figure(("a", "import of pulumi", "s"), beyond, start, found["import pulumi"]),
        figure(imports, beyond, start, found["all imports"]),
    ]


def _imports() -> str:
    """The import statements of the real program."""
    body = ast.parse((ROOT / "__main__.py").read_text()).body
    return "\n".join(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))


def _python(statements: str) -> Measure:
    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statements], check=True, cwd=ROOT)
        return time.perf_counter() - started

    return run
