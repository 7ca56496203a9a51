# shellcheck shell=bash
# What of the library is different in EC2, where the metadata service wants a token of its own (IMDSv2), a registration is
# a parameter of Systems Manager, and the boot is told in another one; sourced by lib.sh. Requests are signed by curl with
# the keys of the machine's role, which reach it on a pipe.

readonly IMDS=http://169.254.169.254/latest
readonly SPEND_PATIENCE=60

# imds PATH: leaves STATUS and ANSWER.
imds() {
  BODY='' request PUT "$IMDS/api/token" 'X-aws-ec2-metadata-token-ttl-seconds: 60' || return "$TRY_AGAIN"
  BODY='' request GET "$IMDS/$1" "X-aws-ec2-metadata-token: $ANSWER"
}

# The role's keys are not there in the first seconds.
metadata_request() {
  local code=0
  imds "$1" || code=$?
  case $STATUS in 404) code=$TRY_AGAIN ;; esac
  [ "$code" -eq 0 ] || log "metadata service: $STATUS for $1"
  return "$code"
}

metadata() {
  retry "$METADATA_PATIENCE" metadata_request "$1" || fail METADATA "the metadata service does not tell $1 (last answer $STATUS)"
  printf '%s\n' "$ANSWER"
}

find_facts() {
  local machine region
  machine=$(metadata meta-data/instance-id) || return 1
  region=$(metadata meta-data/placement/region) || return 1
  printf 'machine=%s\nregion=%s\n' "$machine" "$region"
}

# Where the machine's tags are not in its metadata, it has none.
own_tag() {
  if retry "$TAG_PATIENCE" imds "meta-data/tags/instance/$1"; then printf '%s\n' "$ANSWER"; fi
}

eviction() {
  imds meta-data/spot/instance-action || return 0
  printf '%s' "$ANSWER" | python3 -I -c 'import json, sys; told = json.load(sys.stdin); print(told["action"], "at", told["time"])'
}

# ssm ACTION: sends BODY. The answer of a role that was just made is a refusal, too.
ssm() {
  local role keys region signature code=0
  role=$(metadata meta-data/iam/security-credentials/) || return 1
  keys=$(metadata "meta-data/iam/security-credentials/$role") || return 1
  region=$(fact region)
  signature=$(printf '%s' "$keys" | python3 -I -c '
import json, sys
keys = json.load(sys.stdin)
print("user = \"%s:%s\"" % (keys["AccessKeyId"], keys["SecretAccessKey"]))
print("header = \"X-Amz-Security-Token: %s\"" % keys["Token"])
print("aws-sigv4 = \"aws:amz:%s:ssm\"" % sys.argv[1])' "$region") || return 1
  SIGNATURE=$signature request POST "https://ssm.$region.amazonaws.com/" "X-Amz-Target: AmazonSSM.$1" \
    "Content-Type: application/x-amz-json-1.1" || code=$?
  if [ "$code" -eq 0 ]; then return; fi
  case $ANSWER in
  *AccessDenied* | *Throttling* | *ExpiredToken* | *UnrecognizedClient*) code=$TRY_AGAIN ;;
  *ParameterNotFound*) return 1 ;;
  esac
  log "parameter store: $STATUS for $1"
  return "$code"
}

# get_secret NAME: the value of a parameter; one that is absent was not set yet.
get_secret() {
  if BODY="{\"Name\":\"$1\",\"WithDecryption\":true}" retry "$ROLE_PATIENCE" ssm GetParameter; then
    printf '%s' "$ANSWER" | python3 -I -c 'import json, sys; print(json.load(sys.stdin)["Parameter"]["Value"])'
    return
  fi
  case $STATUS:$ANSWER in
  *ParameterNotFound*) echo none ;;
  *AccessDenied*) fail ROLE "the role of this machine may not read parameter $1" ;;
  000:*) fail VAULT "nobody answers for Systems Manager; parameter $1 was not reached" ;;
  *) fail VAULT "Systems Manager answers $STATUS to GetParameter $1" ;;
  esac
}

spend() {
  BODY="{\"Name\":\"$1\"}" retry "$SPEND_PATIENCE" ssm DeleteParameter && return
  case $ANSWER in *ParameterNotFound*) ;; *) log "parameter $1 was not deleted" ;; esac
}

tell_request() {
  local body
  body=$(python3 -I -c '
import json, sys
print(json.dumps({"Name": sys.argv[1], "Value": sys.argv[2], "Type": "String", "Overwrite": True}))' "$VIRTCI_BOOT_PARAMETER" "$1")
  BODY=$body ssm PutParameter || return "$TRY_AGAIN"
}
