#!/bin/sh
# The entry point of the image: makes a database in /data the first time, as /setup.sql says, and becomes its server.
#   start [POSTGRES-ARGUMENT...]
set -eu
data=/data/db
export PGHOST=/tmp
sockets="--unix_socket_directories=$PGHOST"
if [ ! -e "$data/set-up" ]; then
  rm -rf "$data"
  initdb --pgdata="$data" --username=postgres --auth-local=trust --auth-host=scram-sha-256 --no-locale --encoding=UTF8 --no-sync >/dev/null
  echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
  # nobody gets in by TCP before all is there
  pg_ctl start --wait --silent --pgdata="$data" --log=/dev/null --options="$sockets --listen_addresses="
  psql --no-psqlrc --quiet --username=postgres --set ON_ERROR_STOP=1 --file=/setup.sql
  pg_ctl stop --wait --silent --pgdata="$data"
  : >"$data/set-up"
fi
exec postgres -D "$data" "$sockets" "--listen_addresses=*" "$@"
