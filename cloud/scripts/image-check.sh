#!/bin/bash
# Looks at a machine that was made from an image: prints what is in it and what is wrong, as JSON, for
# `virtci images promote --seen`. Changes nothing. Run as root, soon after the first boot.
set -euo pipefail
# shellcheck source=../../virtci/boot/scripts/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=image-lib.sh
. "${0%/*}/image-lib.sh"

# baked SENTENCE FILE...: what tells machines apart is made at their first boot, so it is younger than the image.
baked() {
  local sentence=$1 file
  shift
  while IFS= read -r file; do
    printf '%s: %s\n' "$sentence" "$file"
  done < <(find "$@" ! -newer "$DOCUMENT" -size +0 2>/dev/null)
}

faults() {
  local parameter=/sys/module/kvm_intel/parameters/enlightened_vmcs
  baked "a key of the build opens this machine" /root /home -name authorized_keys
  baked "all machines have the same host key" /etc/ssh -name 'ssh_host_*_key'
  baked "all machines have the same id" /etc/machine-id -type f
  find /opt /home /root /var/lib \( -name .runner -o -name .credentials -o -name .credentials_rsaparams \) \
    -printf 'an agent was registered in the image: %p\n' 2>/dev/null || true # files come and go
  [ "$(uname -r)" = "$(part kernel)" ] || printf 'it runs kernel %s, not the newest, %s\n' "$(uname -r)" "$(part kernel)"
  if [ "$cloud" = azure ]; then
    [ -c /dev/kvm ] || echo "there is no /dev/kvm"
    if [ -e "$parameter" ] && [ "$(cat "$parameter")" != N ]; then echo "enlightened_vmcs is on"; fi
  fi
}

if ! [ -s "$DOCUMENT" ]; then fail IMAGE "this machine was not made from a runner image: there is no $DOCUMENT"; fi
read -r image version cloud names < <(python3 -I -c '
import json, sys
found = json.load(sys.stdin)
print(found["image"], found["version"], found["cloud"], *found["parts"])' <"$DOCUMENT")
declare -a found=()
for name in $names; do
  found+=("$name=$(part "$name" 2>/dev/null || echo absent)")
done
faults | document "$image" "$version" "$cloud" "${found[@]}"
