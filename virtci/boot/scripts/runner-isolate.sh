#!/bin/bash
# Keeps jobs away from the metadata service, which gives out the tokens of this machine's identity, and from the wire
# server beside it: on this machine root alone reaches them, and nothing that is forwarded does, so no container either.
# The rules for what is forwarded are in the table that packets meet first; no container engine writes there. The end of a
# connection of root belongs to nobody any more, so established ones pass.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly chain=VIRT-CI-JOBS
readonly metadata=169.254.169.254/32
readonly wire_server=168.63.129.16/32 # asked for names too, at port 53, which stays open
readonly wire_ports=80,32526

# hook TABLE BUILT-IN-CHAIN: sends what the built-in chain sees through ours.
hook() {
  iptables --wait --table "$1" --check "$2" --jump "$chain" 2>/dev/null ||
    iptables --wait --table "$1" --insert "$2" 1 --jump "$chain" || fail FIREWALL "iptables refuses a rule in $1 $2"
}

iptables-restore --wait --noflush <<EOR || fail FIREWALL "iptables refuses the rules of chain $chain"
*raw
:$chain - [0:0]
-A $chain ! -i lo -d $metadata -j DROP
-A $chain ! -i lo -d $wire_server -p tcp -m multiport --dports $wire_ports -j DROP
COMMIT
*filter
:$chain - [0:0]
-A $chain -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A $chain -d $metadata -m owner ! --uid-owner 0 -j REJECT
-A $chain -d $wire_server -p tcp -m multiport --dports $wire_ports -m owner ! --uid-owner 0 -j REJECT
COMMIT
EOR
hook raw PREROUTING
hook filter OUTPUT
