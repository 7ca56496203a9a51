#!/bin/bash
# Asks the metadata service for what a script needs to know of this machine.
set -euo pipefail
. "${0%/*}/lib.sh"

address=$(metadata network/interface/0/ipv4/ipAddress/0/privateIpAddress)
resource=$(metadata compute/resourceId)
printf 'address=%s\nresource=%s\n' "$address" "$resource" >"$FACTS"
