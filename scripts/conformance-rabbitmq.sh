#!/usr/bin/env bash
# Judges RabbitMQ itself with the conformance suite, which shows whether the cases say the truth: starts one of its own
# (scripts/rabbitmq.sh), runs the suite, and stops it. Arguments go to `leveret conformance`.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d)
stop() {
  bash scripts/rabbitmq.sh stop "$home"
  rm -rf "$home"
}
trap stop EXIT

port=$(bash scripts/rabbitmq.sh start "$home" | tail -n 1)
node dist/main.js conformance "amqp://guest:guest@127.0.0.1:$port" --dialect rabbitmq-3 "$@"
