#!/bin/bash
# Stand-in for the agent's own: the same refusals, and the rest is the listener's.
if [ "$(id -u)" -eq 0 ]; then
  echo "Must not run with sudo"
  exit 1
fi
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
exec ./bin/Runner.Listener configure "$@"
