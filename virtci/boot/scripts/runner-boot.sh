#!/bin/bash
# Brings a runner from its start to an agent that takes jobs. Runs at every boot, and every stage may have been done
# before. An agent that is registered needs nothing of this to come back: its own service starts it. A timer tries a
# failed boot again, so that a registration may come at any time.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

reason=

tell() {
  tag_boot "$1" "" "$reason"
}

at_exit() {
  local code=$?
  if [ "$code" -eq 0 ]; then return; fi
  [ -s "$RUN/reason" ] || echo "INTERNAL: the boot ended with exit code $code" >"$RUN/reason"
  reason=$(head -n 1 "$RUN/reason")
  tell failed
  log "boot failed: $reason"
}
trap at_exit EXIT

rm -f "$RUN/reason" "$STATE/ready"
require curl getent iptables iptables-restore python3 setpriv sha256sum tar timeout useradd
stage metadata 660 "$here/read-facts.sh"
tell booting

stage isolation 60 systemctl enable --now virt-ci-isolation.service
stage install 1500 "$here/runner-install.sh"
tell installed

stage registration 2160 "$here/runner-register.sh"
stage start 60 "$here/runner-start.sh"

# The sentinel: this boot, and no other, came to its end.
printf '{"version":1,"bootId":"%s","at":"%s"}\n' \
  "$(cat /proc/sys/kernel/random/boot_id)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$RUN/ready"
install -m 0644 "$RUN/ready" "$STATE/ready"
tell ready
log "boot ready: the agent listens for jobs"
