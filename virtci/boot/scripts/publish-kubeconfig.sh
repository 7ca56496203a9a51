#!/bin/bash
# Makes a new kubeconfig for the pipelines and sets it as this environment's vault secret: at every boot, once a day,
# and when a rotation is asked for. Its token is bound to a Secret of the cluster; deleting that revokes the token. The
# two newest stay, so that jobs which hold the last kubeconfig go on.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

readonly lifetime=168h

cluster() {
  k3s kubectl "$@" || fail CLUSTER "the cluster refuses: kubectl $1 $2"
}

is_ready() {
  k3s kubectl get --raw /readyz >/dev/null || return "$TRY_AGAIN"
}

expiry() {
  python3 -I -c '
import base64, json, sys
payload = sys.stdin.read().split(".")[1]
print(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])'
}

kubeconfig() {
  printf 'apiVersion: v1\nkind: Config\ncurrent-context: %s\n' "$VIRTCI_ENVIRONMENT"
  printf 'clusters:\n- name: %s\n  cluster:\n    server: https://%s:6443\n    certificate-authority-data: %s\n' \
    "$VIRTCI_ENVIRONMENT" "$(fact address)" "$authority"
  printf 'users:\n- name: deployer\n  user:\n    token: %s\n' "$token"
  printf 'contexts:\n- name: %s\n  context:\n    cluster: %s\n    user: deployer\n' "$VIRTCI_ENVIRONMENT" "$VIRTCI_ENVIRONMENT"
}

# A boot, the daily renewal and a rotation may want to publish at the same time.
exec 9>"$RUN/publish.lock"
flock 9

retry 300 is_ready || fail K3S "the API of the cluster is not ready"
cluster apply --server-side --force-conflicts --field-manager virt-ci --filename "$here/deployer.json"
cluster create configmap boot-probe --namespace virt-ci --from-file "probe.json=$STATE/probe.json" --dry-run=client \
  --output json | cluster apply --server-side --force-conflicts --field-manager virt-ci --filename -

bound=deployer-$(date +%s)
cluster create secret generic "$bound" --namespace virt-ci --dry-run=client --output json |
  cluster apply --server-side --field-manager virt-ci --filename -
# A token that never reached the vault is of no use, and would count as one of the two that stay.
trap 'k3s kubectl delete secret "$bound" --namespace virt-ci --ignore-not-found' EXIT
authority=$(cluster config view --raw --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
token=$(cluster create token deployer --namespace virt-ci --duration "$lifetime" \
  --bound-object-kind Secret --bound-object-name "$bound")
expires=$(printf '%s' "$token" | expiry)
kubeconfig | put_secret "$VIRTCI_KUBECONFIG_SECRET" application/yaml "$expires"
trap - EXIT
log "kubeconfig published; it expires at $(date -u --date "@$expires" +%Y-%m-%dT%H:%M:%SZ)"

cluster get secrets --namespace virt-ci --output name | sed -n 's|^secret/\(deployer-[0-9]*\)$|\1|p' | sort -r |
  tail -n +3 | while read -r old; do cluster delete secret "$old" --namespace virt-ci --ignore-not-found; done
