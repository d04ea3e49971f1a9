#!/usr/bin/env bash
# The interop tests drive clients in other languages. Installs those that are missing, on Debian or Ubuntu as root
# or with sudo; elsewhere it says what to install and fails.
set -euo pipefail

missing=()
/usr/bin/python3 -c 'import pika' 2>/dev/null || missing+=(python3-pika)
command -v amqp-publish >/dev/null || missing+=(amqp-tools)
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
  echo "The tests need ${missing[*]} (names of the Debian packages): install them, then run the tests again." >&2
  exit 1
fi
as_root apt-get update
as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
