#!/bin/bash
# Powers the machine off when its time is over, whatever happens: needs neither the network nor a disk that can be written,
# and takes what it cannot read for the end. The service manager itself forces a shutdown that does not come to its end.
here=${0%/*}

is_over() {
  local deadline
  deadline=$(cat /run/virt-ci/deadline 2>/dev/null)
  ! [ "$(date +%s)" -lt "${deadline:-$VIRTCI_DEADLINE}" ]
}

is_over || exit 0
# People may have given it more time since its start.
timeout --kill-after=5 20 "$here/on-demand-facts.sh"
is_over || exit 0
exec "$here/power-off.sh" deadline
