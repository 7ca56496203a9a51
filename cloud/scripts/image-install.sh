#!/bin/bash
# Puts into a fresh Ubuntu what every on-demand runner has, and writes down what that is. Packer runs it as root with
# IMAGE_NAME, IMAGE_VERSION, CLOUD, PARTS (a choice, separated by blanks) and the pins in the environment: `<PART>_VERSION`
# and `<PART>_SHA256`. Packages come from Ubuntu's archive, which signs them; everything else has to be what was pinned.
set -euo pipefail
# shellcheck source=../../virtci/boot/scripts/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=image-lib.sh
. "${0%/*}/image-lib.sh"
umask 022
export DEBIAN_FRONTEND=noninteractive

chosen() {
  [[ " $PARTS " == *" $1 "* ]]
}

# pinned PART VERSION SHA256: refuses a part that nobody could tell from another one.
pinned() {
  [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)+$ ]] || fail PIN "part $1 has no version; give ${1}_version to Packer"
  [[ ${3:-} =~ ^[0-9a-f]{64}$ ]] || fail PIN "part $1 has no checksum; give ${1}_sha256 (of version $2, linux-x64) to Packer"
}

# Before anything is installed: a build of twenty minutes must not end with a typing error.
check_inputs() {
  local name
  for name in $PARTS; do
    [[ " $CHOICES " == *" $name "* ]] || fail PARTS "part $name is not known; choose among: $CHOICES"
  done
  case $CLOUD in azure | ec2) ;; *) fail CLOUD "cloud $CLOUD is not known; it is azure or ec2" ;; esac
  pinned agent "${AGENT_VERSION:-}" "${AGENT_SHA256:-}"
  if chosen kubectl; then pinned kubectl "${KUBECTL_VERSION:-}" "${KUBECTL_SHA256:-}"; fi
  if chosen vagrant; then pinned vagrant "${VAGRANT_VERSION:-}" "${VAGRANT_SHA256:-}"; fi
}

packages() {
  apt-get --quiet --yes --option DPkg::Lock::Timeout=300 "$@"
}

# The archive stays packed: a boot checks it again, and what was never unpacked was never registered.
install_agent() {
  local file=$ARCHIVES/$AGENT_FILE-$AGENT_VERSION.tar.gz trial said
  download "https://github.com/actions/runner/releases/download/v$AGENT_VERSION/${file##*/}" "$AGENT_SHA256" "$file"
  chmod 0644 "$file"
  trial=$(mktemp --directory)
  tar --extract --gzip --no-same-owner --file "$file" --directory "$trial"
  "$trial/bin/installdependencies.sh"
  chown --recursive nobody:nogroup "$trial"
  said=$(cd "$trial" && HOME=$trial setpriv --reuid nobody --regid nogroup --clear-groups ./config.sh --version) ||
    fail AGENT "the agent does not run on this image"
  rm -rf "$trial"
  [ "$said" = "$AGENT_VERSION" ] || fail AGENT "the archive of agent $AGENT_VERSION holds version $said"
}

install_docker() {
  packages install docker.io docker-buildx docker-compose-v2
  systemctl enable docker.service
  systemctl start docker.service
}

install_kubectl() {
  local file
  file=$(mktemp)
  download "https://dl.k8s.io/release/v$KUBECTL_VERSION/bin/linux/amd64/kubectl" "$KUBECTL_SHA256" "$file"
  install --mode 0755 "$file" /usr/local/bin/kubectl
  rm -f "$file"
}

install_vagrant() {
  local folder
  folder=$(mktemp --directory)
  download "https://releases.hashicorp.com/vagrant/$VAGRANT_VERSION/vagrant_$VAGRANT_VERSION-1_amd64.deb" \
    "$VAGRANT_SHA256" "$folder/vagrant.deb"
  packages install "$folder/vagrant.deb"
  rm -rf "$folder"
}

# Its kernel module is built for the kernel of this cloud.
install_virtualbox() {
  packages install "linux-headers-${CLOUD/ec2/aws}" virtualbox virtualbox-dkms
}

# Nested KVM on Azure hangs with the enlightened VMCS that Hyper-V offers it; Kontain's images have always switched it off.
switch_off_enlightened_vmcs() {
  echo 'options kvm_intel enlightened_vmcs=N' >/etc/modprobe.d/virt-ci-kvm-intel.conf
}

# CycloneDX 1.5: every package of the distribution, and what did not come as one.
write_sbom() {
  local -a others=("agent=$(part agent)")
  if chosen kubectl; then others+=("kubectl=$(part kubectl)"); fi
  dpkg-query --show --showformat '${Package}\t${Version}\t${Architecture}\n' | python3 -I -c '
import json, sys, urllib.parse
release, *others = sys.argv[1:]
def package(line):
    name, version, architecture = line.rstrip("\n").split("\t")
    where = f"pkg:deb/ubuntu/{name}@{urllib.parse.quote(version)}?arch={architecture}&distro=ubuntu-{release}"
    return {"type": "library", "name": name, "version": version, "purl": where}
def other(text):
    name, version = text.split("=", 1)
    return {"type": "application", "name": name, "version": version}
components = [*map(package, sys.stdin), *map(other, others)]
print(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}))
' "$(. /etc/os-release && printf '%s' "$VERSION_ID")" "${others[@]}" >"$SBOM"
}

write_document() {
  local name version
  local -a found=()
  for name in $ALWAYS $PARTS; do
    version=$(part "$name") || fail PARTS "part $name was installed and does not run"
    [ -n "$version" ] || fail PARTS "part $name was installed and does not tell its version"
    found+=("$name=$version")
  done
  document "$IMAGE_NAME" "$IMAGE_VERSION" "$CLOUD" "${found[@]}" </dev/null >"$DOCUMENT"
}

check_inputs
cloud-init status --wait >&2 || log "cloud-init did not end well; going on"
packages update
packages dist-upgrade
packages install ca-certificates curl gcc git jq make unzip zstd
install_agent
for name in $CHOICES; do
  if chosen "$name"; then "install_$name"; fi
done
if [ "$CLOUD" = azure ]; then switch_off_enlightened_vmcs; fi
install --directory --mode 0755 "${DOCUMENT%/*}"
write_sbom
write_document
