#!/bin/bash
# Lets the runners, and nobody else, reach SSH and the Kubernetes API; everything else is as the image has it. The
# rules are in a chain of their own, so that a second run changes nothing.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly chain=VIRT-CI
readonly ports=22,6443

rule() {
  iptables --wait "$@" || fail FIREWALL "iptables refuses: $*"
}

# The rules are swapped in one go: between deleting and adding, nobody would get in, or everybody.
iptables --wait --new-chain "$chain" 2>/dev/null || true
iptables-restore --wait --noflush <<EOR || fail FIREWALL "iptables refuses the rules of chain $chain"
*filter
:$chain - [0:0]
-A $chain -i lo -j ACCEPT
-A $chain -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A $chain -s $VIRTCI_POD_RANGE -j ACCEPT
-A $chain -s $VIRTCI_RUNNERS_SUBNET -p tcp -m multiport --dports $ports -j ACCEPT
-A $chain -p tcp -m multiport --dports $ports -j DROP
COMMIT
EOR
iptables --wait --check INPUT --jump "$chain" 2>/dev/null || rule --insert INPUT 1 --jump "$chain"

# Azure Linux loads ip4save at every start (SPECS/iptables of microsoft/azurelinux), others /etc/sysconfig/iptables.
# What Kubernetes added is its own to add again.
saved=/etc/sysconfig/iptables
if [ -d /etc/systemd/scripts ]; then saved=/etc/systemd/scripts/ip4save; fi
iptables-save --table filter | grep -v -e KUBE- -e CNI- -e FLANNEL- -e '^#' | sed 's/\[[0-9]*:[0-9]*\]/[0:0]/' >"$RUN/rules"
if ! cmp -s "$RUN/rules" "$saved"; then
  mkdir -p "${saved%/*}"
  install -m 0600 "$RUN/rules" "$saved"
fi
systemctl enable iptables.service || fail FIREWALL "the image does not load saved firewall rules at its start"
