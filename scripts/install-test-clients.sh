#!/usr/bin/env bash
# The interop and conformance tests drive clients in other languages. Installs those that are missing, on Debian or
# Ubuntu as root or with sudo; elsewhere it says what to install and fails.
set -euo pipefail

missing=()
/usr/bin/python3 -c 'import pika' 2>/dev/null || missing+=(python3-pika)
/usr/bin/python3 -c 'import celery' 2>/dev/null || missing+=(python3-celery)
command -v amqp-publish >/dev/null || missing+=(amqp-tools)
/usr/bin/ruby -e 'require "bunny"' 2>/dev/null || missing+=(ruby-bunny)
[ -x /usr/bin/php ] || missing+=(php-cli)
[ -f /usr/share/php/PhpAmqpLib/autoload.php ] || missing+=(php-amqplib)
[ -f /usr/share/java/amqp-client.jar ] || missing+=(librabbitmq-client-java)
[ -x /usr/bin/java ] || missing+=(default-jre-headless)
# A JDK brings javac; where there is none, ecj compiles with a run-time environment only, which is far smaller.
command -v javac >/dev/null || command -v ecj >/dev/null || missing+=(ecj)
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
