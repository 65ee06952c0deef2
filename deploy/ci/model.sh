#!/bin/sh
# One rollout of a model, from proposal to verdict. The history is in rollout.json, and in the transparency log.
#
# MODEL, PLAN, DESCRIPTION, ENVIRONMENT_NAME, COMMIT, ACTOR, GATEWAY, DEPLOYMENT_AUDIT, TOKEN
set -eu
umask 077
fcs=${FCS:-target/release/fcs}
tokens=$(mktemp -d)
trap 'rm -rf "$tokens"' EXIT
printf '%s' "${TOKEN:?}" >"$tokens/token"
run() { "$fcs" --api-key-file "$tokens/token" --gateway "$GATEWAY" --deployment-audit "$DEPLOYMENT_AUDIT" --output json "$@"; }

run rollout propose "$MODEL" ${PLAN:+--plan "$PLAN"} --environment "$ENVIRONMENT_NAME" --commit "$COMMIT" \
  --description "$DESCRIPTION" --author "$ACTOR" --as "$ACTOR" >rollout.json
id=$(python3 -c 'import json; print(json.load(open("rollout.json"))["rollout_id"])')
echo "rollout $id waits for approvals: fcs rollout approve $id"
# Approvals are given in deployment-audit, by others than the author.
while :; do
  run rollout get "$id" >rollout.json
  phase=$(python3 -c 'import json; print(json.load(open("rollout.json"))["phase"])')
  case "$phase" in
  awaiting_approval) sleep 30 ;;
  queued) break ;;
  *) echo "rollout $id is $phase: it does not go" >&2 && exit 7 ;;
  esac
done
run rollout start "$id" --as "$ACTOR" >rollout.json
code=0
run rollout watch "$id" --timeout 6h || code=$?
run rollout get "$id" >rollout.json
exit "$code"
