#!/bin/bash
# Takes kernel and hypervisor out of reach of the package managers, whoever calls them: another kernel would take the
# hypervisor away at the next start. Exclusions of the image stay.
set -euo pipefail
. "${0%/*}/lib.sh"

# hold FILE: names are separated by blanks, which both tdnf and dnf understand.
hold() {
  local names
  names=$(sed -n 's/^exclude\(pkgs\)\{0,1\} *= *//p' "$1" | tr ',' ' ')
  names=$(printf '%s %s' "$names" "$VIRTCI_HELD_PACKAGES" | tr -s ' ' '\n' | sort -u | tr '\n' ' ')
  names=${names# }
  sed -e '/^exclude\(pkgs\)\{0,1\} *=/d' -e "s|^\[main\].*|&\nexcludepkgs=${names% }|" "$1" >"$RUN/packages"
  grep -q '^excludepkgs=' "$RUN/packages" || fail PACKAGES "$1 has no section [main]"
  cmp -s "$RUN/packages" "$1" || install -m 0644 "$RUN/packages" "$1"
}

held=
for file in /etc/tdnf/tdnf.conf /etc/dnf/dnf.conf; do
  if [ -f "$file" ]; then
    hold "$file"
    held=yes
  fi
done
[ -n "$held" ] || fail PACKAGES "neither tdnf nor dnf is configured; kernel and hypervisor cannot be held"
