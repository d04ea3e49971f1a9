# What exchanges that are always there send to consumers that bind to them.

source "$(dirname "$0")/common.sh"

folder=$(mktemp -d)
trap 'clean_up; rm -rf "$folder"' EXIT

# Starts a consumer of an exchange, with a queue that goes with it; the last argument is a key that reaches it. The tool
# does not say when its queue is bound: messages are sent until one arrives.
listen() {
  local queue="$NAME.$1" exchange=$2 key=$3 reaching=$4
  : >"$folder/$1"
  tool consume -q "$queue" -e "$exchange" -r "$key" -- \
    sh -c 'body=$(cat); echo "$body"; [ "$body" != end ] || kill $PPID' >"$folder/$1" 2>/dev/null &
  until [ -s "$folder/$1" ]; do tool publish -e "$exchange" -r "$reaching" -b ready; done
}

# Ends that consumer and says what it got.
report() {
  tool publish -r "$NAME.$1" -b end
  while ! grep -qx end "$folder/$1"; do sleep 0.01; done
  echo "$2: $(grep -vx -e ready -e end "$folder/$1" | paste -sd ,)"
}

listen critical amq.topic "*.$NAME.critical" "any.$NAME.critical"
listen kernel amq.topic "kern.$NAME.#" "kern.$NAME"
for key in "kern.$NAME.critical" "kern.$NAME.info" "cron.$NAME.critical" "cron.$NAME.info"; do
  tool publish -e amq.topic -r "$key" -b "$key"
done
report critical 'topic, critical'
report kernel 'topic, kernel'

listen direct amq.direct "$NAME" "$NAME"
tool publish -e amq.direct -r "$NAME" -b right
tool publish -e amq.direct -r "$NAME.other" -b wrong
report direct direct

listen lines amq.direct "$NAME.lines" "$NAME.lines"
printf 'one\ntwo\n' | tool publish -e amq.direct -r "$NAME.lines" -l
report lines 'direct, by line'
