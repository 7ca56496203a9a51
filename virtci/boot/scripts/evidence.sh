#!/bin/bash
# Keeps what tells how the last jobs ended: the logs of the agent and the kernel's messages, for root alone, a few jobs and
# a few MiB of them. The logs are read as the user of jobs, who could have put a link to anything among them.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=runner
readonly agent=/opt/actions-runner
readonly evidence=$STATE/evidence
readonly jobs=5 log_bytes=8388608 kernel_bytes=262144

folder=$evidence/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
dmesg | tail --bytes="$kernel_bytes" >"$folder/dmesg.txt" || log "no messages of the kernel"
setpriv --reuid "$user" --regid "$user" --clear-groups tar --create --gzip --directory "$agent" _diag |
  head --bytes="$log_bytes" >"$folder/diag.tar.gz" || log "the logs of the agent are not complete"
for old in "$evidence"/*; do printf '%s\n' "$old"; done | sort --reverse | tail --lines="+$((jobs + 1))" |
  while read -r old; do rm -rf "$old"; done
