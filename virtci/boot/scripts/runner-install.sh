#!/bin/bash
# Installs GitHub's runner agent for a user of its own, who has no other rights. What is unpacked is what was pinned; an
# agent that is there is left alone, because it updates itself: GitHub soon refuses one that does not.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=runner
readonly agent=/opt/actions-runner
readonly file=actions-runner-linux-x64-$VIRTCI_AGENT_VERSION.tar.gz
readonly archive=$STATE/$file
readonly releases=https://github.com/actions/runner/releases/download

if ! getent passwd "$user" >/dev/null; then
  useradd --system --user-group --create-home --home-dir "/home/$user" --shell /bin/bash "$user"
fi
if [ -d "$agent" ]; then exit; fi

download "$releases/v$VIRTCI_AGENT_VERSION/$file" "$VIRTCI_AGENT_SHA256" "$archive"
# A disk that is full must not stay so.
trap 'rm -rf "$agent.part"' EXIT
rm -rf "$agent.part"
install --directory --mode 0755 "${agent%/*}"
mkdir "$agent.part"
tar --extract --gzip --no-same-owner --file "$archive" --directory "$agent.part" || fail DISK "no room to unpack the agent to $agent"
chown --recursive "$user:$user" "$agent.part"
# Its own check of what it needs of the image; afterwards, a registration that fails is a matter of GitHub.
(cd "$agent.part" && HOME=/home/$user setpriv --reuid "$user" --regid "$user" --init-groups ./config.sh --version) ||
  fail AGENT "the agent does not run on this image"
mv "$agent.part" "$agent"
rm -f "$archive"
