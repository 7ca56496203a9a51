# shellcheck shell=bash
# What the library has besides on on-demand machines in Azure; sourced by lib.sh.

readonly EVENTS_API=2020-07-01
readonly SPEND_PATIENCE=60

# find_facts: what the scripts need to know of this machine.
find_facts() {
  local resource
  resource=$(metadata compute/resourceId) || return 1
  printf 'resource=%s\n' "$resource"
}

# own_tag NAME: the value of a tag of this machine, or nothing.
own_tag() {
  metadata compute/tags | tr ';' '\n' | sed -n "s/^$1://p"
}

# eviction: how the platform says that it takes this machine back; nothing while it does not.
eviction() {
  local resource
  metadata_request "scheduledevents?api-version=$EVENTS_API" || return 0
  resource=$(fact resource)
  printf '%s' "$ANSWER" | python3 -I -c '
import json, sys
for event in json.load(sys.stdin)["Events"]:
    if event["EventType"] == "Preempt" and sys.argv[1].lower() in [name.lower() for name in event["Resources"]]:
        print("Preempt, not before", event["NotBefore"] or "now")' "${resource##*/}"
}

# spend NAME: overwrites a registration that was used. Best effort: it is of no use any more.
spend() {
  local body
  if ! BODY='' retry "$SPEND_PATIENCE" vault_request GET "$1"; then return; fi
  body=$(printf '%s' "$ANSWER" | python3 -I -c '
import json, sys
secret = json.load(sys.stdin)
if secret["value"] not in ("none", "used"):
    kept = {name: secret[name] for name in ("contentType", "tags") if name in secret}
    print(json.dumps({"value": "used", **kept}))')
  if [ -z "$body" ]; then return; fi
  BODY=$body retry "$SPEND_PATIENCE" vault_request PUT "$1" || log "secret $1 was not overwritten"
}
