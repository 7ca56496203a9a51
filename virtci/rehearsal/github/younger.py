"""What GitHub's API does that is younger than the description of it that this project carries.

`GET …/actions/runners/deprecations/{version}` came on 2026-09-03 and is not in the description of 2026-09-09
(@octokit/openapi 23.0.2). Path and fields are from GitHub's changelog of 2026-09-03; that the newest version has no dates,
that a field without a date is absent and that an unknown version is answered with 404, from calls that others published on
2026-09-30 (DevOps Daily, "GitHub started enforcing self-hosted runner versions").
"""

from collections.abc import Mapping
from typing import Any

PATHS: Mapping[str, Any] = {
    "/repos/{owner}/{repo}/actions/runners/deprecations/{version}": {
        "get": {
            "operationId": "actions/get-runner-deprecation-for-repo",
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in ("owner", "repo", "version")
            ],
            "responses": {
                "200": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["runner_version"],
                                "properties": {
                                    "runner_version": {"type": "string"},
                                    "registration_deprecates_at": {"type": "string", "nullable": True},
                                    "runtime_deprecates_at": {"type": "string", "nullable": True},
                                },
                            }
                        }
                    }
                }
            },
        }
    }
}
