#!/bin/bash
# Gives jobs the devices of the hypervisor, which belong to root, and looks whether the one that was asked for opens for
# them. A device forgets its group at every start.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=runner
readonly group=kvm

for device in kvm mshv; do
  if [ -e "/dev/$device" ]; then
    groupadd --system --force "$group"
    chgrp "$group" "/dev/$device"
    chmod 0660 "/dev/$device"
    usermod --append --groups "$group" "$user"
  fi
done
case $VIRTCI_HYPERVISOR in
kvm | mshv)
  setpriv --reuid "$user" --regid "$user" --init-groups sh -c ": <>/dev/$VIRTCI_HYPERVISOR" ||
    fail HYPERVISOR_ABSENT "/dev/$VIRTCI_HYPERVISOR does not open for the user of jobs"
  ;;
esac
