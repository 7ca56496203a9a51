#!/bin/bash
# Starts the agent, and looks whether it stays or has had its job already.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=runner
readonly jobs=/run/virt-ci-jobs

trap 'rm -f "$RUN/jit.env"' EXIT
[ -d "$jobs" ] || install --directory --owner "$user" --group "$user" --mode 0755 "$jobs"
systemctl start virt-ci-evidence.path
systemctl start virt-ci-agent.service || fail AGENT "the service of the agent does not start"
rm -f "$RUN/jit.env"
sleep 5
if ! systemctl is-active --quiet virt-ci-agent.service && [ ! -e "$jobs/completed" ]; then
  fail REGISTRATION "the agent ended as soon as it was started: GitHub did not take it as $VIRTCI_RUNNER_NAME"
fi
