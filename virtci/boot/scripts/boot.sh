#!/bin/bash
# Brings a dom0 machine from its start to a published cluster. Runs at every boot, and every stage may have been done
# before: a boot that was cut short goes on, an address that changed is published anew. A hypervisor that is not the
# declared one stops nothing here; it is told, and judged before the gate of KubeVirt goes on. A timer tries a failed
# boot again.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

readonly probe=$STATE/probe.json
hypervisor=
reason=

tell() {
  tag_boot "$1" "$hypervisor" "$reason"
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
require curl python3 sha256sum timeout flock iptables iptables-restore iptables-save
stage metadata 660 "$here/read-facts.sh"
tell booting

stage probe 60 "$here/probe.sh" "$VIRTCI_HYPERVISOR" >"$RUN/probe.json"
install -m 0644 "$RUN/probe.json" "$probe"
hypervisor=$(json hypervisor <"$probe")
reason=$(json reason <"$probe")
tell probed

stage packages 60 "$here/hold-packages.sh"
stage firewall 60 "$here/open-firewall.sh"
stage install 1500 "$here/install-k3s.sh"
tell installed

stage publish 1500 "$here/publish-kubeconfig.sh"
systemctl enable --now virt-ci-renewal.timer virt-ci-rotation.timer
tell published

# The sentinel: this boot, and no other, came to its end.
printf '{"version":1,"bootId":"%s","at":"%s","hypervisor":"%s"}\n' \
  "$(cat /proc/sys/kernel/random/boot_id)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$hypervisor" >"$RUN/ready"
install -m 0644 "$RUN/ready" "$STATE/ready"
tell ready
log "boot ready: $hypervisor${reason:+; $reason}"
