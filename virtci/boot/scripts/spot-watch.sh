#!/bin/bash
# Looks whether the platform takes the machine back. If it does, the agent ends at once, which GitHub is told of, instead of
# being missed minutes later; and whoever started the machine learns why.
set -euo pipefail
. "${0%/*}/lib.sh"

if [ ! -s "$FACTS" ] || [ -e "$RUN/evicted" ]; then exit; fi
why=$(eviction)
if [ -z "$why" ]; then exit; fi

REASON="SPOT_EVICTED: the platform takes the machine back ($why)"
log "$REASON"
# A boot that is under way ends with this reason.
printf '%s\n' "$REASON" | tee "$RUN/reason" >"$RUN/evicted"
systemctl stop --no-block virt-ci-agent.service virt-ci-boot.service
if [ -e "$STATE/probe.json" ]; then HYPERVISOR=$(json hypervisor <"$STATE/probe.json"); fi
tell failed
