#!/bin/bash
# Stand-in for the agent's own: hands a signal on where RUNNER_MANUALLY_TRAP_SIG says so, and only there.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
if [ -z "$RUNNER_MANUALLY_TRAP_SIG" ]; then
  ./bin/Runner.Listener run "$@"
  exit
fi
trap 'kill -INT $PID' TERM INT
./bin/Runner.Listener run "$@" &
PID=$!
wait $PID
trap - TERM INT
wait $PID
