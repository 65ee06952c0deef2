#!/bin/sh
# Makes the cluster, its role and its database at the first start, as the official image does for POSTGRES_USER,
# POSTGRES_DB and POSTGRES_PASSWORD_FILE, then serves.
set -eu
user=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$user" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
  pg_ctl --wait --log=/dev/null --options="-c listen_addresses=" start >/dev/null
  createdb --username="$user" "${POSTGRES_DB:-$user}"
  pg_ctl --wait stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
