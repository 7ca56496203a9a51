#!/bin/bash
# Installs KM and its kernel module KKM from the results of a build, which lie beside this script with their checksums. Run as
# root in a fresh Ubuntu or Fedora. Packages come from the distribution, which signs them.
set -euo pipefail

readonly here=${0%/*}
readonly target=/opt/kontain

(cd "$here" && sha256sum --check --quiet SHA256SUMS)
# shellcheck source=/dev/null
. /etc/os-release
case $ID in
ubuntu)
  export DEBIAN_FRONTEND=noninteractive
  cloud-init status --wait >&2 || true
  apt-get --quiet --yes update
  apt-get --quiet --yes install docker.io gcc gdb jq libelf-dev make podman "linux-headers-$(uname -r)"
  ;;
fedora) dnf --quiet --assumeyes install elfutils-libelf-devel gcc gdb jq make moby-engine podman "kernel-devel-$(uname -r)" ;;
*)
  echo "KM is installed on Ubuntu and Fedora; this is $ID" >&2
  exit 1
  ;;
esac

bash "$here/kkm.run" --noprogress -- --force-install
mkdir -p "$target"
tar --extract --gzip --no-same-owner --file "$here/kontain.tar.gz" --directory "$target"
echo "export PATH=\$PATH:$target/bin" >/etc/profile.d/kontain.sh
for user in vagrant ubuntu fedora; do
  if getent passwd "$user" >/dev/null; then usermod --append --groups docker "$user"; fi
done
"$target/bin/docker_config.sh"
"$target/bin/podman_config.sh"
rm -rf "$here"
