#!/bin/sh
# Creates the role of the service. PostgreSQL runs this script once, after it has created its cluster. `ect db init --role` grants the
# privileges.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$(cat "${SECRETS:-/secrets}/service-password")" <<'SQL'
CREATE ROLE ect_service LOGIN PASSWORD :'password';
SQL
