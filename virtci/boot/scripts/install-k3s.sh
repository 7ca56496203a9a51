#!/bin/bash
# Installs the pinned k3s, configures and starts it. The binary and the install script are both verified before any of
# them runs; the script itself downloads nothing.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly binary=/usr/local/bin/k3s
readonly installer=$STATE/install-k3s-release.sh
readonly installed=$STATE/k3s-installed
readonly config=/etc/rancher/k3s/config.yaml
readonly tag=${VIRTCI_K3S_VERSION/+/%2B}
readonly pins="$VIRTCI_K3S_VERSION $VIRTCI_K3S_BINARY_SHA256 $VIRTCI_K3S_INSTALL_SCRIPT_SHA256"

download "https://raw.githubusercontent.com/k3s-io/k3s/$tag/install.sh" "$VIRTCI_K3S_INSTALL_SCRIPT_SHA256" "$installer"
download "https://github.com/k3s-io/k3s/releases/download/$tag/k3s" "$VIRTCI_K3S_BINARY_SHA256" "$binary"
chmod 0755 "$binary"

address=$(fact address)
mkdir -p "${config%/*}"
cat >"$RUN/k3s.yaml" <<EOC
write-kubeconfig-mode: "0600"
bind-address: $address
advertise-address: $address
node-ip: $address
tls-san:
  - $address
  - $(uname -n)
secrets-encryption: true
cluster-cidr: $VIRTCI_POD_RANGE
service-cidr: $VIRTCI_SERVICE_RANGE
disable:
  - traefik
  - servicelb
EOC

verb=start
if ! cmp -s "$RUN/k3s.yaml" "$config"; then
  install -m 0600 "$RUN/k3s.yaml" "$config"
  verb=restart
fi

# The marker comes last: an installation that was cut short is done again.
if [ "$(cat "$installed" 2>/dev/null)" != "$pins" ]; then
  (umask 022 && INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_START=true INSTALL_K3S_EXEC=server sh "$installer") ||
    fail K3S "the install script of k3s $VIRTCI_K3S_VERSION failed"
  printf '%s\n' "$pins" >"$installed"
fi
systemctl "$verb" k3s.service || fail K3S "k3s does not start"
