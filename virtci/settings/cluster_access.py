"""How a process reaches a cluster: by the kubeconfig that it was given, checked before anything else."""

import os
from datetime import UTC, datetime

from virtci.core.kubeconfigs import VARIABLE, kubeconfig_problems
from virtci.core.problems import ProblemsError


def require_kubeconfig(environment: str, path: str | None = None) -> None:
    """Raises `ProblemsError` when the kubeconfig (default: of this process) is missing, unreadable or has run out."""
    problems = kubeconfig_problems(path or os.environ.get(VARIABLE), environment, datetime.now(UTC))
    if problems:
        raise ProblemsError(f"cluster of {environment}", problems)
