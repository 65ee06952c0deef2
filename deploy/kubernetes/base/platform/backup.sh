#!/bin/sh
# Dumps the database of each URL file in /etc/fcs/secrets into /backups, checks the dump, and forgets those of more than
# 30 days ago. A dump under its final name is whole: it is written beside and renamed.
set -eu
umask 077
day=$(date -u +%Y-%m-%dT%H%M%SZ)
for file in "${SECRETS:-/etc/fcs/secrets}"/*; do
  name=$(basename "$file")
  target=${BACKUPS:-/backups}/$name-$day.dump
  pg_dump --format=custom --compress=6 --dbname="$(cat "$file")" --file="$target.part"
  pg_restore --list "$target.part" >/dev/null
  mv "$target.part" "$target"
  echo "$target: $(wc -c <"$target") bytes"
done
find "${BACKUPS:-/backups}" -name '*.dump' -mtime +30 -print -delete
find "${BACKUPS:-/backups}" -name '*.part' -mtime +1 -delete
