# What the programs of the command line tools of librabbitmq share. Each is started as `program.sh URL NAME` and prints
# a line for whatever it sees.

set -uo pipefail
URL=$1
NAME=$2
queues=()

# Makes $queue a name that only this run uses; the queue is deleted when the program ends.
name_queue() {
  queue="$NAME.$1"
  queues+=("$queue")
}

clean_up() {
  for queue in "${queues[@]}"; do amqp-delete-queue -u "$URL" -q "$queue" >/dev/null; done
}
trap clean_up EXIT

tool() {
  "amqp-$1" -u "$URL" "${@:2}"
}

# Runs a tool and says how it ended, with what it printed on both outputs.
attempt() {
  local what=$1 output status
  shift
  output=$("$@" 2>&1)
  status=$?
  echo "$what: exit status $status, ${output:-nothing printed}"
}

# Prints the bodies of all messages that are ready, in order.
drain() {
  local body bodies=''
  while body=$(tool get -q "$1"); do bodies="${bodies:+$bodies, }$body"; done
  echo "${bodies:-nothing}"
}
