#!/usr/bin/env bash
# `cellgate comment`, and every request that the client can make, against a stateful api.github.com on
# this machine, which checks every request and answer against GitHub's own description. Takes the
# bench's folder in CELLGATE_BENCH and the binary in CELLGATE (default: target/debug/cellgate). Ends
# with 1 on any broken contract.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${CELLGATE_BENCH:?set it to the folder of the bench}"
cellgate=$(realpath "${CELLGATE:-target/debug/cellgate}")
python=$CELLGATE_BENCH/.venv/bin/python
[ -x "$python" ] || python=python3
fake=$CELLGATE_BENCH/fake_github/server.py

work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

n_failed=0
check() { # NAME EXPECTED FOUND
  [ "$2" = "$3" ] || { echo "FAIL $1: wanted [$2], got [$3]" >&2; n_failed=$((n_failed + 1)); }
}

echo "== reports"
"$cellgate" --quiet demo --out "$work/demo" >/dev/null
drifting=$work/demo/drifting/cellgate-report/report.json
good=$work/demo/good/cellgate-report/report.json

echo "== server"
"$python" - "$work" "$drifting" <<'PY'
import json, sys
work, report = sys.argv[1], json.load(open(sys.argv[2]))
seed = {"repos": {"octo/toy": {
    "git": work + "/toy.git", "default_branch": "main", "private": False,
    "collaborators": {"octo": "admin", "alice": "write", "mallory": "read"},
    "files": {"README.md": "toy\n", "params/ihc-hdab.yaml": "a: 1\n"},
    "branches": [
        {"name": "feature/x", "from": "main", "files": {"params/ihc-hdab.yaml": "a: 2\n"}},
        {"name": "feature/two", "from": "main", "files": {"params/ihc-hdab.yaml": "a: 3\n"}},
    ],
    "pulls": [
        {"number": 7, "title": "change", "head": "feature/x", "base": "main", "user": "alice"},
        {"number": 8, "title": "fork", "head": "feature/two", "base": "main", "user": "mallory", "head_repo": "mallory/toy"},
    ],
    "comments": [{"issue": 7, "user": "evil[bot]", "body": "<!-- cellgate:gate -->\nforged"}]
        + [{"issue": 7, "user": "bob", "body": "words %d" % n} for n in range(120)],
    "runs": [{"id": 987, "name": "gate", "event": "pull_request", "head_sha": "feature/x", "head_branch": "feature/x", "status": "completed", "conclusion": "failure"}],
    "artifacts": [
        {"name": "cellgate-report", "run_id": 987, "files": {"report.json": report}},
        {"name": "report.html", "run_id": 987, "files": {"report.html": "page"}},
    ],
}}}
json.dump(seed, open(work + "/seed.json", "w"))
PY
"$python" "$fake" --port 0 --port-file "$work/port" --seed "$work/seed.json" \
  --log "$work/requests.jsonl" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
[ -s "$work/port" ] || { cat "$work/server.log" >&2; exit 1; }
url=http://127.0.0.1:$(cat "$work/port")
state() { # PYTHON EXPRESSION OVER s, THE REPOSITORY'S STATE
  curl -sf "$url/_bench/state" | "$python" -c "
import json, sys
s = json.load(sys.stdin)['octo/toy']
print($1)"
}
fault() { curl -sf -o /dev/null -X POST -d "$1" "$url/_bench/faults"; }
n_requests() { wc -l <"$work/requests.jsonl"; }
head=$(git --git-dir "$work/toy.git" rev-parse feature/x)
fork=$(git --git-dir "$work/toy.git" rev-parse feature/two)

run_event() { # EVENT CONCLUSION SHA REPOSITORY
  printf '{"action":"completed","repository":{"full_name":"octo/toy"},"sender":{"login":"alice"},
    "workflow_run":{"id":987,"run_attempt":1,"event":"%s","conclusion":"%s","head_sha":"%s",
    "head_repository":{"full_name":"%s"}}}' "$@" >"$work/event.json"
}
pull_event() { # NUMBER SHA REPOSITORY
  printf '{"action":"synchronize","repository":{"full_name":"octo/toy"},"sender":{"login":"alice"},
    "pull_request":{"number":%s,"user":{"login":"alice"},"head":{"sha":"%s","repo":{"full_name":"%s"}},
    "base":{"sha":"%s","repo":{"full_name":"octo/toy"}}}}' "$1" "$2" "$3" "$head" >"$work/event.json"
}
comment() { # EVENT EXPECTED_EXIT_CODE ARGUMENT..
  local event=$1 expected=$2 code=0
  shift 2
  env -i PATH="$PATH" HOME="$work" GITHUB_API_URL="$url" GITHUB_TOKEN="${token:-ghs_least}" \
    GITHUB_REPOSITORY=octo/toy GITHUB_SERVER_URL=https://github.com GITHUB_RUN_ID=987 \
    GITHUB_RUN_ATTEMPT=1 GITHUB_EVENT_NAME="$event" GITHUB_EVENT_PATH="$work/event.json" \
    "$cellgate" comment "$@" >"$work/out" 2>&1 || code=$?
  check "exit code of: comment $*" "$expected" "$code"
  [ "$code" = "$expected" ] || sed 's/^/    /' "$work/out" >&2
}
ours="sum(1 for c in s['comments'] if c['user'] == 'github-actions[bot]' and c['issue'] == 7)"
mark() { before=$(n_requests); }
count() { echo "   $1: $(($(n_requests) - before)) requests"; }

echo "== privileged stage"
export token=ghs_full
run_event pull_request failure "$head" octo/toy
mark; comment workflow_run 0 --state requested; count "opened"
mark; comment workflow_run 0 --artifact cellgate-report --page-artifact report.html; count "first post, from artifacts"
check "one comment" 1 "$(state "$ours")"
check "conclusion" failure "$(state "s['checks'][0]['conclusion']")"
mark; comment workflow_run 0 "$good"; count "update, over two pages of comments"
check "still one comment" 1 "$(state "$ours")"
check "one check run" 1 "$(state "len(s['checks'])")"
comment workflow_run 0 --dry-run "$drifting"
run_event pull_request_target success "$head" octo/toy
comment workflow_run 1 "$good"
run_event push success "$head" octo/toy
comment workflow_run 0 "$good"
run_event pull_request success "$head" mallory/toy
comment workflow_run 0 "$good"
run_event pull_request failure "$fork" mallory/toy
comment workflow_run 0 "$drifting"

echo "== pull request's own run"
pull_event 7 "$head" octo/toy
token=ghs_least
mark; comment pull_request 0 --name plain "$drifting"; count "first post"
mark; comment pull_request 0 --name plain "$good"; count "update"
token=ghs_readonly
pull_event 8 "$fork" mallory/toy
comment pull_request 0 --name fork "$drifting"
grep -q 'checks: write' "$work/out" || check "names the missing right" yes no
run_event pull_request failure "$fork" mallory/toy
comment workflow_run 1 --name fork "$drifting"

echo "== faults"
token=ghs_full
pull_event 7 "$head" octo/toy
for kind in '{"kind":"drop","when":"after"}' '{"kind":"drop","when":"before"}' '{"kind":"truncate"}' \
  '{"kind":"status","status":502}' '{"kind":"secondary","retry_after":1}' '{"kind":"redirect"}'; do
  n=$((${n:-0} + 1))
  for op in issues/create-comment checks/create; do
    fault "{\"match\":{\"op\":\"$op\"},\"do\":$kind}"
  done
  fault "{\"match\":{\"method\":\"GET\"},\"times\":2,\"do\":$kind}"
  comment pull_request 0 --name "fault-$n" "$drifting"
  curl -sf -o /dev/null -X DELETE "$url/_bench/faults"
  check "one comment after $kind" 1 \
    "$(state "sum(1 for c in s['comments'] if c['body'].startswith('<!-- cellgate:fault-$n -->'))")"
  check "one check run after $kind" 1 \
    "$(state "sum(1 for c in s['checks'] if c['name'] == 'cellgate (fault-$n)')")"
done

echo "== pictures"
mkdir "$work/pictures"
printf '\211PNG\r\n\032\nfield' >"$work/pictures/A01.png"
comment pull_request 0 --name pictures --asset-branch cellgate-pictures --pictures "$work/pictures" "$drifting"
git --git-dir "$work/toy.git" rev-parse --quiet --verify cellgate-pictures >/dev/null || check "branch of pictures" yes no

echo "== every request"
CELLGATE_GITHUB=$url cargo test --release --locked --test it -- github::contract ||
  check "every request" done failed

echo "== contract"
"$python" "$fake" report "$work/requests.jsonl" || n_failed=$((n_failed + 1))
[ "$n_failed" -eq 0 ] || { echo "$n_failed checks failed" >&2; exit 1; }
echo "all hold"
