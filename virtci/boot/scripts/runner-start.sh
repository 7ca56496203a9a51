#!/bin/bash
# Starts the agent now and at every later boot, and looks whether it stays.
set -euo pipefail
. "${0%/*}/lib.sh"

systemctl enable --now virt-ci-agent.service || fail AGENT "the service of the agent does not start"
sleep 5
systemctl is-active --quiet virt-ci-agent.service || fail AGENT "the agent ended as soon as it was started"
