#!/bin/bash
# Writes the OIDC token of this workflow job, made out to AWS, into a file that only this user reads; with AWS_ROLE_ARN and
# AWS_WEB_IDENTITY_TOKEN_FILE every AWS client takes its role from there. A token is good for minutes: run this right before.
set -euo pipefail
umask 077

file=${1:?name the file to write}
: "${ACTIONS_ID_TOKEN_REQUEST_URL:?the job needs the permission id-token: write}"
curl --silent --show-error --fail --retry 3 --max-time 60 \
  --config <(printf 'header = "Authorization: bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN") \
  "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com" |
  python3 -I -c 'import json, sys; sys.stdout.write(json.load(sys.stdin)["value"])' >"$file.part"
mv "$file.part" "$file"
