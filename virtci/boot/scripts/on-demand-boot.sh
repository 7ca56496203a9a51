#!/bin/bash
# Brings a machine of a workflow run from its start to a runner that takes jobs; a machine without the hypervisor that was
# asked for never gets as far as its registration. Runs at every boot, and every stage may have been done before. A boot
# that failed is not tried again: whoever started the machine sees why, and starts another one.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

# Whoever reports the end of the agent waits until this boot has said its last word.
exec 8>"$RUN/boot.lock"
flock 8
begin_boot chgrp curl dmesg flock getent groupadd gzip iptables iptables-restore python3 setpriv sha256sum tar timeout useradd usermod
stage metadata 660 "$here/on-demand-facts.sh"
tell booting

stage people 30 "$here/on-demand-people.sh"
if [ -n "$(fact kept)" ]; then
  end_boot "kept until $(fact kept), for people"
  exit
fi

stage probe 60 "$here/probe.sh" "$VIRTCI_HYPERVISOR" >"$RUN/probe.json"
install -m 0644 "$RUN/probe.json" "$STATE/probe.json"
log "probe: $(cat "$STATE/probe.json")"
HYPERVISOR=$(json hypervisor <"$STATE/probe.json")
absent=$(json reason <"$STATE/probe.json")
if [ "$VIRTCI_CAPABILITY" = kvm-metal ] && [[ $(json cpuFlags <"$STATE/probe.json") == *hypervisor* ]]; then
  absent="asked for kvm-metal, found a virtual machine: its CPU has the flag hypervisor"
fi
[ -z "$absent" ] || fail HYPERVISOR_ABSENT "$absent"
tell probed

stage isolation 60 systemctl enable --now virt-ci-isolation.service
stage install 1200 "$here/runner-install.sh"
stage devices 30 "$here/on-demand-devices.sh"
tell installed

stage registration 2160 "$here/runner-register.sh"
stage start 60 "$here/on-demand-start.sh"
timeout --kill-after=10 120 "$here/on-demand-spend.sh" || log "the registration still lies where it was"

end_boot "the agent listens for jobs"
