#!/bin/bash
# Lets people in: one user, with the keys that came with this boot and no others, whatever the image has. A failed machine is
# looked at by them, so the user may become root; no password exists that sudo could ask for. Jobs run as another user.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=kontain
readonly home=/home/$user

if ! getent passwd "$user" >/dev/null; then
  useradd --user-group --create-home --home-dir "$home" --shell /bin/bash "$user"
fi
install --directory --owner "$user" --group "$user" --mode 0700 "$home/.ssh"
install --owner "$user" --group "$user" --mode 0600 /etc/virt-ci/people.keys "$home/.ssh/authorized_keys"
install --directory --mode 0750 /etc/sudoers.d
printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$user" >"$RUN/sudoers"
install --mode 0440 "$RUN/sudoers" /etc/sudoers.d/90-virt-ci
