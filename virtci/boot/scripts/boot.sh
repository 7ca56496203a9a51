#!/bin/bash
# Brings a dom0 machine from its start to a published cluster. Runs at every boot, and every stage may have been done
# before: a boot that was cut short goes on, an address that changed is published anew. A hypervisor that is not the
# declared one stops nothing here; it is told, and judged before the gate of KubeVirt goes on. A timer tries a failed
# boot again.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

readonly probe=$STATE/probe.json

begin_boot curl python3 sha256sum timeout flock iptables iptables-restore iptables-save
stage metadata 660 "$here/read-facts.sh"
tell booting

stage probe 60 "$here/probe.sh" "$VIRTCI_HYPERVISOR" >"$RUN/probe.json"
install -m 0644 "$RUN/probe.json" "$probe"
HYPERVISOR=$(json hypervisor <"$probe")
REASON=$(json reason <"$probe")
tell probed

stage packages 60 "$here/hold-packages.sh"
stage firewall 60 "$here/open-firewall.sh"
stage install 1500 "$here/install-k3s.sh"
tell installed

stage publish 1500 "$here/publish-kubeconfig.sh"
systemctl enable --now virt-ci-renewal.timer virt-ci-rotation.timer
tell published

end_boot "$HYPERVISOR${REASON:+; $REASON}"
