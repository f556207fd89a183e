#!/bin/sh
# Copies each secret to the volumes of its readers. Arguments: the source directory, then the directories of the service, of the owner of
# the database, and of PostgreSQL. Files belong to root and to the group of their reader: 1000 in our image, 999 in that of PostgreSQL.
set -eu
from=$1 authority=$2 owner=$3 postgres=$4

give() {
  group=$1 to=$2
  shift 2
  for name in "$@"; do install -o 0 -g "$group" -m 0440 "$from/$name" "$to/$name"; done
}

give 1000 "$authority" ca.crt authority.crt authority.key signing-key.pem ledger.key service-password
give 1000 "$owner" ca.crt owner-password
give 999 "$postgres" postgres.crt postgres.key owner-password service-password
