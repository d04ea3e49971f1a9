#!/usr/bin/env bash
# A RabbitMQ of one's own: `rabbitmq.sh start DIRECTORY` installs Debian's rabbitmq-server when it is missing, starts it
# on a free port of 127.0.0.1 with a node name and directories of its own, and prints the port on the last line;
# `rabbitmq.sh control DIRECTORY ARGUMENT...` runs rabbitmqctl for it, `rabbitmq.sh stop DIRECTORY` stops it. The directory
# must exist; what the server keeps is in it.
set -euo pipefail

SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
CONTROL=/usr/lib/rabbitmq/bin/rabbitmqctl
START_SECONDS_MAX=60
STOP_SECONDS_MAX=30

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install() {
  if [ -x "$SERVER" ]; then return; fi
  if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
    echo "This needs RabbitMQ in $SERVER: install the Debian package rabbitmq-server, then try again." >&2
    exit 1
  fi
  as_root apt-get update >&2
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends rabbitmq-server >&2
}

free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

start() {
  local home=$1 port epmd_port dist_port server
  port=$(free_port)
  epmd_port=$(free_port)
  dist_port=$(free_port)
  echo "$epmd_port" >"$home/epmd-port"
  echo "leveret-$port@localhost" >"$home/node"
  echo '[].' >"$home/plugins"
  # Its default is so low that it takes fewer than a thousand connections.
  ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  # The leader of a process group of its own, with all that it starts but the port mapper; its output is no pipe of ours.
  setsid env HOME="$home" ERL_EPMD_PORT="$epmd_port" RABBITMQ_DIST_PORT="$dist_port" \
    RABBITMQ_NODE_PORT="$port" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODENAME="leveret-$port@localhost" \
    RABBITMQ_MNESIA_BASE="$home/mnesia" RABBITMQ_LOG_BASE="$home/log" RABBITMQ_PID_FILE="$home/pid" \
    RABBITMQ_CONFIG_FILE="$home/none" RABBITMQ_ENABLED_PLUGINS_FILE="$home/plugins" \
    "$SERVER" </dev/null >"$home/output" 2>&1 &
  server=$!
  echo "$server" >"$home/group"
  for ((i = 0; i < START_SECONDS_MAX; i++)); do
    if ! kill -0 "$server" 2>/dev/null || grep -q 'completed with' "$home/output"; then break; fi
    sleep 1
  done
  if ! grep -q 'completed with' "$home/output"; then
    echo "RabbitMQ did not start:" >&2
    cat "$home/output" >&2
    stop "$home"
    exit 1
  fi
  echo "$port"
}

control() {
  local home=$1
  shift
  env HOME="$home" ERL_EPMD_PORT="$(cat "$home/epmd-port")" "$CONTROL" --node "$(cat "$home/node")" "$@"
}

stop() {
  local home=$1 group
  if [ -f "$home/group" ]; then
    group=$(cat "$home/group")
    kill -TERM -- "-$group" 2>/dev/null || true
    for ((i = 0; i < STOP_SECONDS_MAX * 10; i++)); do
      if ! kill -0 -- "-$group" 2>/dev/null; then break; fi
      sleep 0.1
    done
    kill -KILL -- "-$group" 2>/dev/null || true
  fi
  if [ -f "$home/epmd-port" ]; then epmd -port "$(cat "$home/epmd-port")" -kill >/dev/null 2>&1 || true; fi
}

if [ $# -lt 2 ] || [ ! -d "$2" ]; then
  echo "usage: rabbitmq.sh start|stop DIRECTORY, or control DIRECTORY ARGUMENT..." >&2
  exit 64
fi
case $1 in
  start)
    install
    start "$2"
    ;;
  control) control "${@:2}" ;;
  stop) stop "$2" ;;
  *)
    echo "rabbitmq.sh: start, control or stop, not '$1'" >&2
    exit 64
    ;;
esac
