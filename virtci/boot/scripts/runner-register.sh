#!/bin/bash
# Registers the agent with GitHub, once: from then on it has a credential of its own. The token for it comes through the
# vault, where whoever registers runners puts it for a few minutes; until then the secret says "none", afterwards "used".
# The agent takes the token from its environment; no job runs before it is registered, and nobody else sees that.
# A runner for one job gets a just-in-time configuration instead, which its agent takes when it is started.
set -euo pipefail
. "${0%/*}/lib.sh"

readonly user=runner
readonly agent=/opt/actions-runner
readonly REGISTRATION_PATIENCE=1200
token=none

registered() {
  [ -s "$agent/.runner" ] && [ -s "$agent/.credentials" ]
}

# keep: in memory, for the service manager, until the agent is started.
keep() {
  [[ $token =~ ^[A-Za-z0-9+/]+=*$ ]] || fail REGISTRATION "secret $VIRTCI_REGISTRATION_SECRET holds no just-in-time configuration"
  printf 'ACTIONS_RUNNER_INPUT_JITCONFIG=%s\n' "$token" >"$RUN/jit.env"
}

configure() {
  local -a labels=(--labels "$VIRTCI_RUNNER_LABELS")
  if [ -n "${VIRTCI_RUNNER_SERVES:-}" ]; then labels+=(--no-default-labels); fi
  # What a registration that was cut short left would be taken for a registration.
  rm -f "$agent/.runner" "$agent/.credentials" "$agent/.credentials_rsaparams"
  (cd "$agent" && HOME=/home/$user ACTIONS_RUNNER_INPUT_TOKEN=$token setpriv --reuid "$user" --regid "$user" --init-groups \
    ./config.sh --unattended --replace --url "$VIRTCI_RUNNER_URL" --name "$VIRTCI_RUNNER_NAME" "${labels[@]}")
}

register() {
  token=$(get_secret "$VIRTCI_REGISTRATION_SECRET") || return 1
  case $token in none | used) return "$TRY_AGAIN" ;; esac
  if [ "${VIRTCI_RUNNER_SERVES:-}" = job ]; then
    keep
    return
  fi
  configure && registered && return
  log "registration: the agent was not registered"
  return "$TRY_AGAIN"
}

if registered; then exit; fi
code=0
retry "$REGISTRATION_PATIENCE" register || code=$?
case $code:$token in
0:*) ;;
"$TRY_AGAIN":none | "$TRY_AGAIN":used) fail REGISTRATION "no token came into secret $VIRTCI_REGISTRATION_SECRET in $REGISTRATION_PATIENCE seconds" ;;
*) fail REGISTRATION "GitHub did not take the registration as $VIRTCI_RUNNER_NAME at $VIRTCI_RUNNER_URL" ;;
esac
