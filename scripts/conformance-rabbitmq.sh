#!/usr/bin/env bash
# Judges RabbitMQ itself with the conformance suite, which shows whether the cases say the truth: starts one of its own
# (scripts/rabbitmq.sh), adds the user that cases of permissions need, runs the suite, and stops it. Arguments go to
# `leveret conformance`. Without any, it also checks that the programs of the clients that are installed still print there
# what has been recorded.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d)
stop() {
  bash scripts/rabbitmq.sh stop "$home"
  rm -rf "$home"
}
trap stop EXIT

port=$(bash scripts/rabbitmq.sh start "$home" | tail -n 1)

# One line each: what the user may configure, write and read, and a virtual host where it may do nothing.
mapfile -t limited < <(node --input-type=module -e '
  import { FORBIDDEN_VHOST, LIMITED_PERMISSIONS } from "./dist/conformance/limited-user.js";
  const { configure, write, read } = LIMITED_PERMISSIONS;
  console.log([configure, write, read, FORBIDDEN_VHOST].join("\n"));
')
control() {
  bash scripts/rabbitmq.sh control "$home" "$@" >>"$home/output"
}
control add_user limited limited
control set_permissions limited "${limited[0]}" "${limited[1]}" "${limited[2]}"
control add_vhost "${limited[3]}"

node dist/main.js conformance "amqp://guest:guest@127.0.0.1:$port" --dialect rabbitmq-3 --limited-user limited:limited "$@"
if [ "$#" -eq 0 ]; then
  node dist/conformance/clients/judge-clients.js "amqp://guest:guest@127.0.0.1:$port" --skip-missing
fi
