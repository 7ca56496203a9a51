#!/bin/bash
# Answers a request to rotate the kubeconfig: ConfigMap virt-ci/rotation, key requestedAt. Publishes a new one, says so
# in handledAt, and after ten minutes of grace for running jobs revokes every older one. Runs every minute; all that it
# remembers is in that ConfigMap.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

readonly grace=600

cluster() {
  k3s kubectl "$@" --namespace virt-ci || fail CLUSTER "the cluster refuses: kubectl $1 $2"
}

note() {
  cluster patch configmap rotation --type merge --patch "{\"data\":$1}"
}

bound_secrets() {
  cluster get secrets --output name | sed -n 's|^secret/\(deployer-[0-9]*\)$|\1|p' | sort
}

state=$(cluster get configmap rotation --ignore-not-found \
  --output 'jsonpath={.data.requestedAt};{.data.handledAt};{.data.revokeAt};{.data.keep}')
IFS=';' read -r requested handled revoke_at keep <<<"$state"
now=$(date +%s)

if [ -n "$requested" ] && [ "$requested" != "$handled" ]; then
  "$here/publish-kubeconfig.sh"
  keep=$(bound_secrets | tail -n 1)
  note "{\"handledAt\":\"$requested\",\"revokeAt\":\"$((now + grace))\",\"keep\":\"$keep\"}"
elif [ -n "$revoke_at" ] && [ "$now" -ge "$revoke_at" ]; then
  bound_secrets | while read -r secret; do
    if [[ $secret < $keep ]]; then cluster delete secret "$secret" --ignore-not-found; fi
  done
  note '{"revokeAt":null,"keep":null}'
fi
