#!/bin/sh
# A rotation job for PostgreSQL: makes the login role /zopp/new/DB_USER with the password /zopp/new/DB_PASSWORD, and drops
# those that it made before, but for /zopp/old/DB_USER, which clients use until they have seen the new Secret. Where that one
# is not known here, it drops none: nobody can say which one clients use.
#
#   rotate.sh GROUP
#
# GROUP is the role that owns the database's objects; login roles act as it. /zopp/new/ADMIN_URL, which is
# postgres://NAME:PASSWORD@HOST:PORT/DATABASE, names a role with CREATEROLE that may make others members of GROUP.
# Run twice with the same files, it does the same. No password is in an argument or in the environment of a process, and
# the server, which may log what it is asked, gets the new one hashed.
set -eu
umask 077
group=${1:?the role that owns the objects}
values=/zopp

# A part of a URL, without its %41.
decode() {
  rest=$1
  while case $rest in *%??*) ;; *) break ;; esac do
    printf '%s' "${rest%%\%*}"
    rest=${rest#*%}
    printf "\\$(printf %03o "0x${rest%"${rest#??}"}")"
    rest=${rest#??}
  done
  printf '%s' "$rest"
}

# psql takes the URL as an argument, which others can see: without the password, which goes into a file.
url=$(cat "$values/new/ADMIN_URL")
admin=${url#*://}
admin=${admin%%@*}
export PGPASSFILE="${TMPDIR:-/tmp}/pgpass.$$" PGCONNECT_TIMEOUT=10
said=${TMPDIR:-/tmp}/said.$$
trap 'rm -f "$PGPASSFILE" "$said"' EXIT
# a colon and a backslash have a meaning there
printf '*:*:*:*:%s\n' "$(decode "${admin#*:}" | sed 's/[\\:]/\\&/g')" >"$PGPASSFILE"

export NEW="$values/new/DB_USER" OLD="$values/old/DB_USER"
[ -e "$OLD" ] || OLD=/dev/null

# \password hashes what it reads, twice, from where a terminal is not.
password=$(cat "$values/new/DB_PASSWORD")
status=0
printf '%s\n%s\n' "$password" "$password" |
  psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 --set group="$group" --file /dev/fd/3 \
    "${url%%://*}://${admin%%:*}@${url#*@}" 3<<'SQL' 2>"$said" || status=$?
\set new `cat "$NEW"`
\set old `cat "$OLD"`
\set mark 'made by a rotation job'
SET client_min_messages = warning;
BEGIN;
SELECT format('CREATE ROLE %I', :'new') WHERE NOT EXISTS (
  SELECT FROM pg_roles WHERE rolname = :'new' AND shobj_description(oid, 'pg_authid') = :'mark'
) \gexec
COMMENT ON ROLE :"new" IS :'mark';
GRANT :"group" TO :"new";
ALTER ROLE :"new" LOGIN;
-- what it makes belongs to the group, so that it can be dropped
ALTER ROLE :"new" SET role TO :"group";
\password :"new"
WITH made AS (
  SELECT rolname FROM pg_roles
    WHERE pg_has_role(oid, :'group', 'MEMBER') AND shobj_description(oid, 'pg_authid') = :'mark'
)
SELECT format('DROP ROLE %I', rolname) FROM made
  WHERE rolname NOT IN (:'new', :'old') AND EXISTS (SELECT FROM made WHERE rolname = :'old') \gexec
COMMIT;
SQL
# its questions name the user
sed '/^Enter /d' "$said" >&2
[ "$status" -eq 0 ] || exit "$status"
echo "the new login role acts as $group"
