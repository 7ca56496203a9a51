# shellcheck shell=bash
# Library of the boot scripts; sourced, never run. Settings come from the environment, facts of the machine from the
# metadata service. A secret lives in variables, pipes and memory only: never on a disk, on a command line or in the log.

readonly RUN=/run/virt-ci
readonly STATE=/var/lib/virt-ci
readonly FACTS=$RUN/facts
readonly TRY_AGAIN=75 # EX_TEMPFAIL of sysexits.h
readonly METADATA=http://169.254.169.254/metadata
readonly METADATA_API=2021-02-01
readonly IDENTITY_API=2018-02-01
readonly VAULT_API=7.4
readonly TAGS_API=2021-04-01
# Seconds of waiting. Role assignments take up to ten minutes to reach the vault, the metadata service a few seconds
# to answer after a start.
readonly METADATA_PATIENCE=300
readonly ROLE_PATIENCE=900
readonly DOWNLOAD_PATIENCE=600
readonly TAG_PATIENCE=30

STATUS=000
ANSWER=
# What a boot has found out of its machine; `tell` tells it.
HYPERVISOR=
REASON=

umask 077
mkdir -p "$RUN" "$STATE"
chmod 0755 "$STATE"

log() {
  printf '%s\n' "$*" >&2
}

# fail CODE SENTENCE: ends the script; the first reason of a boot is the one that is told.
fail() {
  [ -s "$RUN/reason" ] || printf '%s: %s\n' "$1" "$2" >"$RUN/reason"
  log "$1: $2"
  exit 1
}

# require PROGRAM...: images are complete, nothing is installed here.
require() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || fail IMAGE "the image has no $program"
  done
}

# retry SECONDS COMMAND...: again while the command says so by its exit code, at growing distances, until the waiting
# adds up to the given seconds. Returns the last exit code.
retry() {
  local patience=$1 pause=2 waited=0 code
  shift
  while true; do
    code=0
    "$@" || code=$?
    if [ "$code" -ne "$TRY_AGAIN" ] || [ "$waited" -ge "$patience" ]; then return "$code"; fi
    sleep "$pause"
    waited=$((waited + pause))
    pause=$((pause < 32 ? pause * 2 : 60))
  done
}

# json KEY: the value of a key of the object on stdin.
json() {
  python3 -I -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# request METHOD URL [HEADER...]: sends BODY, signed as SIGNATURE says; leaves STATUS (000 when nobody answered) and
# ANSWER. Succeeds with 2xx; says "try again" when the other side is absent, busy or broken.
request() {
  local method=$1 url=$2 received code=0
  local -a body=()
  shift 2
  if [ "$method" != GET ]; then body=(--data-binary @-); fi
  received=$(printf '%s' "${BODY:-}" | curl --silent --show-error --connect-timeout 10 --max-time 60 --noproxy 169.254.169.254 \
    --request "$method" --config <(printf 'header = "%s"\n' "$@" && printf '%s\n' "${SIGNATURE:-}") "${body[@]}" --write-out '\n%{http_code}' "$url") || code=$?
  STATUS=${received##*$'\n'}
  ANSWER=${received%$'\n'*}
  [ "$code" -eq 0 ] || STATUS=000
  case $STATUS in
  2??) return 0 ;;
  000 | 408 | 429 | 5??) return "$TRY_AGAIN" ;;
  *) return 1 ;;
  esac
}

# The metadata service answers 404 and 410 while it is being updated.
metadata_request() {
  local code=0
  BODY='' request GET "$METADATA/$1" "Metadata: true" || code=$?
  case $STATUS in 404 | 410) code=$TRY_AGAIN ;; esac
  [ "$code" -eq 0 ] || log "metadata service: $STATUS for ${1%%\?*}"
  return "$code"
}

# metadata PATH: a fact of this machine.
metadata() {
  retry "$METADATA_PATIENCE" metadata_request "instance/$1?api-version=$METADATA_API&format=text" ||
    fail METADATA "the metadata service does not tell $1 (last answer $STATUS)"
  printf '%s\n' "$ANSWER"
}

# identity_token AUDIENCE: an access token of the machine's managed identity.
identity_token() {
  local audience=${1//:/%3A}
  retry "$METADATA_PATIENCE" metadata_request "identity/oauth2/token?api-version=$IDENTITY_API&resource=${audience//\//%2F}" ||
    fail METADATA "the metadata service gives no token for $1 (last answer $STATUS); has the machine its identity?"
  printf '%s' "$ANSWER" | json access_token
}

# The vault answers 401 and 403 until the role assignment has reached it; a fresh token each time, because groups and
# roles may be part of it.
vault_request() {
  local method=$1 name=$2 token code=0
  token=$(identity_token https://vault.azure.net) || return 1
  request "$method" "$VIRTCI_VAULT_URI/secrets/$name?api-version=$VAULT_API" \
    "Authorization: Bearer $token" "Content-Type: application/json" || code=$?
  case $STATUS in 401 | 403) code=$TRY_AGAIN ;; esac
  [ "$code" -eq 0 ] || log "vault: $STATUS for $method of secret $name"
  return "$code"
}

vault_patiently() {
  local method=$1 name=$2
  retry "$ROLE_PATIENCE" vault_request "$method" "$name" && return
  case $STATUS in
  401 | 403) fail ROLE "the identity of this machine may not $method secret $name of $VIRTCI_VAULT_URI (last answer $STATUS)" ;;
  000) fail VAULT "nobody answers at $VIRTCI_VAULT_URI; secret $name was not reached" ;;
  *) fail VAULT "$VIRTCI_VAULT_URI answers $STATUS to $method of secret $name" ;;
  esac
}

# get_secret NAME: its value.
get_secret() {
  BODY='' vault_patiently GET "$1"
  printf '%s' "$ANSWER" | json value
}

# put_secret NAME TYPE EXPIRY: sets a secret to what stdin says; EXPIRY is in seconds since 1970. The tags are those
# of the declared secret, because a new version of a secret has the tags it is given and no others.
put_secret() {
  local body
  body=$(python3 -I -c '
import json, pathlib, sys
tags = pathlib.Path("/etc/virt-ci/secret-tags.json")
print(json.dumps({
    "value": sys.stdin.read(),
    "contentType": sys.argv[1],
    "attributes": {"enabled": True, "exp": int(sys.argv[2])},
    "tags": json.loads(tags.read_text()) if tags.exists() else {},
}))' "$2" "$3")
  BODY=$body vault_patiently PUT "$1"
}

matches() {
  [ -f "$2" ] && printf '%s  %s\n' "$1" "$2" | sha256sum --check --status
}

fetch() {
  local status code=0
  status=$(curl --silent --show-error --fail --location --proto '=https' --connect-timeout 10 --max-time 600 \
    --output "$2" --write-out '%{http_code}' "$1") || code=$?
  case $code:$status in
  0:*) return 0 ;;
  23:*) return 23 ;; # the disk, not the network
  22:408 | 22:429 | 22:5??) ;;
  22:*) return 22 ;;
  esac
  log "download: curl says $code (HTTP $status) for $1"
  return "$TRY_AGAIN"
}

# download URL SHA256 PATH: nothing but the pinned content ever gets to be at PATH.
download() {
  local code=0
  if matches "$2" "$3"; then return; fi
  retry "$DOWNLOAD_PATIENCE" fetch "$1" "$3.part" || code=$?
  if [ "$code" -ne 0 ]; then rm -f "$3.part"; fi
  case $code in
  0) ;;
  23) fail DISK "no space left for $3" ;;
  22) fail DOWNLOAD "there is no $1" ;;
  *) fail DOWNLOAD "$1 cannot be downloaded" ;;
  esac
  if ! matches "$2" "$3.part"; then
    rm -f "$3.part"
    fail CHECKSUM "$1 is not what was pinned (sha256 $2)"
  fi
  mv "$3.part" "$3"
}

# fact NAME: what read-facts.sh found.
fact() {
  sed -n "s/^$1=//p" "$FACTS"
}

boot_id() {
  cat /proc/sys/kernel/random/boot_id
}

# tell STAGE: tells the stage and what else the boot found out. Best effort: a boot does not fail for it.
tell() {
  local record
  [ -s "$FACTS" ] || return 0
  record=$(python3 -I -c '
import json, sys, time
stage, boot, machine, hypervisor, reason = sys.argv[1:]
told = {"bootstage": stage, "bootid": boot, "bootat": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "bootmachine": machine, "boothypervisor": hypervisor, "bootreason": reason[:256] or "-"}
print(json.dumps({name: value for name, value in told.items() if value}))
' "$1" "$(boot_id)" "$(fact machine)" "$HYPERVISOR" "$REASON")
  if ! retry "$TAG_PATIENCE" tell_request "$record"; then log "stage $1 was not told"; fi
}

# tell_request RECORD: keeps it as tags of the machine.
tell_request() {
  local token
  token=$(identity_token https://management.azure.com/) || return 1
  BODY="{\"operation\":\"Merge\",\"properties\":{\"tags\":$1}}" request PATCH \
    "https://management.azure.com$(fact resource)/providers/Microsoft.Resources/tags/default?api-version=$TAGS_API" \
    "Authorization: Bearer $token" "Content-Type: application/json" && return
  log "tags: $STATUS"
  return "$TRY_AGAIN"
}

# stage NAME SECONDS COMMAND...: one step of a boot, with a deadline. Fails with the reason that the step gave, or with
# what can be told of its end.
stage() {
  local name=$1 seconds=$2 code=0
  shift 2
  log "stage $name"
  { timeout --kill-after=10 "$seconds" "$@" 2>&1 >&3 3>&- | tee "$RUN/$name.log" >&2; } 3>&1 || code=$?
  case $code in
  0) return ;;
  124 | 137) fail DEADLINE "stage $name did not end in $seconds seconds" ;;
  esac
  if grep -q 'No space left on device' "$RUN/$name.log"; then fail DISK "no space left in stage $name"; fi
  fail INTERNAL "stage $name ended with exit code $code"
}

at_exit() {
  local code=$?
  if [ "$code" -eq 0 ]; then return; fi
  [ -s "$RUN/reason" ] || echo "INTERNAL: the boot ended with exit code $code" >"$RUN/reason"
  REASON=$(head -n 1 "$RUN/reason")
  tell failed
  log "boot failed: $REASON"
}

# begin_boot PROGRAM...: forgets how the last boot ended; from here on, a failure is told. The image has the programs.
begin_boot() {
  trap at_exit EXIT
  rm -f "$RUN/reason" "$STATE/ready"
  require "$@"
}

# end_boot SENTENCE: leaves the sentinel, which says that this boot, and no other, came to its end.
end_boot() {
  printf '{"version":1,"bootId":"%s","at":"%s"%s}\n' "$(boot_id)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    "${HYPERVISOR:+,\"hypervisor\":\"$HYPERVISOR\"}" >"$RUN/ready"
  install -m 0644 "$RUN/ready" "$STATE/ready"
  tell ready
  log "boot ready: $1"
}

# What is different, or more, on machines that say where they are.
if [ -n "${VIRTCI_CLOUD:-}" ]; then
  # shellcheck source=/dev/null
  . "${BASH_SOURCE[0]%/*}/$VIRTCI_CLOUD.sh"
fi
