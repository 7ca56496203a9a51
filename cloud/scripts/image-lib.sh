# shellcheck shell=bash disable=SC2034
# What a runner image says of itself; sourced by the script that builds it and by the one that checks it, which use the names.

readonly DOCUMENT=/usr/local/share/virt-ci/image.json
readonly SBOM=/usr/local/share/virt-ci/sbom.json
readonly ARCHIVES=$STATE # where boot looks for the agent before it downloads it
readonly AGENT_FILE=actions-runner-linux-x64

# Every part that an image can have. The first ones are in all of them, the others by choice (PARTS).
readonly ALWAYS="agent kernel sbom"
readonly CHOICES="docker kubectl vagrant virtualbox"

# part NAME: its version, in its own words; fails where it is not there.
part() {
  local file
  case $1 in
  agent)
    file=$(find "$ARCHIVES" -maxdepth 1 -name "$AGENT_FILE-*.tar.gz" -printf '%f\n' | sort --version-sort | tail -n 1)
    file=${file#"$AGENT_FILE-"}
    printf '%s\n' "${file%.tar.gz}"
    ;;
  kernel) find /boot -maxdepth 1 -name 'vmlinuz-*' -printf '%f\n' | sed 's/^vmlinuz-//' | sort --version-sort | tail -n 1 ;;
  sbom) sha256sum <"$SBOM" | cut -d ' ' -f 1 ;;
  docker) docker version --format '{{.Server.Version}}' ;;
  kubectl) kubectl version --client --output=json | python3 -I -c 'import json, sys; print(json.load(sys.stdin)["clientVersion"]["gitVersion"])' ;;
  vagrant) vagrant --version | sed 's/^Vagrant //' ;;
  virtualbox) VBoxManage --version ;;
  esac
}

# document [PART=VERSION...]: what is in the image, as JSON; faults are lines on stdin.
document() {
  python3 -I -c '
import json, sys
image, version, cloud, *parts = sys.argv[1:]
faults = [line for line in sys.stdin.read().splitlines() if line]
print(json.dumps({"image": image, "version": version, "cloud": cloud,
                  "parts": dict(part.split("=", 1) for part in parts), "faults": faults}, indent=1))
' "$@"
}
