#!/bin/sh
# Runs once, when PostgreSQL has made its cluster: the role of the service. `ect db init --role` gives it its rights.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$(cat "${SECRETS:-/secrets}/service-password")" <<'SQL'
CREATE ROLE ect_service LOGIN PASSWORD :'password';
SQL
