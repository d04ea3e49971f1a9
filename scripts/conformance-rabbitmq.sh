#!/usr/bin/env bash
# Judges RabbitMQ itself with the conformance suite, which shows whether the cases say the truth: installs Debian's
# rabbitmq-server when it is missing, starts it on a free port with a node name and directories of its own, adds the user
# that cases of permissions need, runs the suite, and stops it. Arguments go to `leveret conformance`. Without any, it also
# checks that the programs of the clients that are installed still print there what has been recorded.
set -euo pipefail
cd "$(dirname "$0")/.."

SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
CONTROL=/usr/lib/rabbitmq/bin/rabbitmqctl
START_SECONDS_MAX=60

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

if [ ! -x "$SERVER" ]; then
  if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
    echo "This needs RabbitMQ in $SERVER: install the Debian package rabbitmq-server, then try again." >&2
    exit 1
  fi
  as_root apt-get update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends rabbitmq-server
fi

free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

home=$(mktemp -d)
port=$(free_port)
export HOME="$home"
export ERL_EPMD_PORT RABBITMQ_DIST_PORT RABBITMQ_NODE_PORT="$port" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
ERL_EPMD_PORT=$(free_port)
RABBITMQ_DIST_PORT=$(free_port)
export RABBITMQ_NODENAME="conformance@localhost"
export RABBITMQ_MNESIA_BASE="$home/mnesia" RABBITMQ_LOG_BASE="$home/log" RABBITMQ_PID_FILE="$home/pid"
export RABBITMQ_CONFIG_FILE="$home/none" RABBITMQ_ENABLED_PLUGINS_FILE="$home/plugins"
echo '[].' >"$RABBITMQ_ENABLED_PLUGINS_FILE"

server=
stop() {
  if [ -n "$server" ]; then
    # The server is the leader of a process group of its own, with all that it started but the port mapper.
    kill -TERM -- "-$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  epmd -port "$ERL_EPMD_PORT" -kill >/dev/null 2>&1 || true
  rm -rf "$home"
}
trap stop EXIT

set -m
"$SERVER" >"$home/output" 2>&1 &
server=$!
set +m

for ((i = 0; i < START_SECONDS_MAX; i++)); do
  if ! kill -0 "$server" 2>/dev/null || grep -q 'completed with' "$home/output"; then break; fi
  sleep 1
done
if ! grep -q 'completed with' "$home/output"; then
  echo "RabbitMQ did not start:" >&2
  cat "$home/output" >&2
  exit 1
fi

# One line each: what the user may configure, write and read, and a virtual host where it may do nothing.
mapfile -t limited < <(node --input-type=module -e '
  import { FORBIDDEN_VHOST, LIMITED_PERMISSIONS } from "./dist/conformance/limited-user.js";
  const { configure, write, read } = LIMITED_PERMISSIONS;
  console.log([configure, write, read, FORBIDDEN_VHOST].join("\n"));
')
{
  "$CONTROL" add_user limited limited
  "$CONTROL" set_permissions limited "${limited[0]}" "${limited[1]}" "${limited[2]}"
  "$CONTROL" add_vhost "${limited[3]}"
} >>"$home/output"

node dist/main.js conformance "amqp://guest:guest@127.0.0.1:$port" --dialect rabbitmq-3 --limited-user limited:limited "$@"
if [ "$#" -eq 0 ]; then
  node dist/conformance/clients/judge-clients.js "amqp://guest:guest@127.0.0.1:$port" --skip-missing
fi
