#!/bin/bash
# Tells why the machine powers itself off: its time is over (deadline), or the agent that was for one job has ended (ended),
# and then keeps what that left behind. Usage: last-word.sh deadline|ended.
set -euo pipefail
. "${0%/*}/lib.sh"

if [ -e "$STATE/probe.json" ]; then HYPERVISOR=$(json hypervisor <"$STATE/probe.json"); fi
if [ "$1" = deadline ]; then
  REASON="DEADLINE: the time of this machine is over"
  tell failed
  exit
fi

keep_evidence() {
  systemctl start virt-ci-evidence.service || log "evidence was not kept"
}

# There is no time to lose; and whoever found the eviction out may not have had the time to tell it.
if [ -s "$RUN/evicted" ]; then
  REASON=$(cat "$RUN/evicted")
  tell failed
  keep_evidence
  exit
fi

# What is told may be the end of the machine.
keep_evidence
exec 8>"$RUN/boot.lock"
flock --timeout 60 8 || log "the boot does not come to its end"
if [ -e /run/virt-ci-jobs/completed ]; then
  tell served
else
  REASON="REGISTRATION: the agent ended without a job"
  tell failed
fi
