#!/bin/sh
# Dumps the database of each URL file in /etc/fcs/secrets into /backups, checks the dump, and forgets those of more than
# 30 days ago. A dump under its final name is whole: it is written beside and renamed.
set -eu
umask 077
failed=0
day=$(date -u +%Y-%m-%dT%H%M%SZ)
for file in "${SECRETS:-/etc/fcs/secrets}"/*; do
  name=$(basename "$file")
  target=${BACKUPS:-/backups}/$name-$day.dump
  if pg_dump --format=custom --compress=6 --dbname="$(cat "$file")" --file="$target.part" &&
    pg_restore --list "$target.part" >/dev/null; then
    mv "$target.part" "$target"
    echo "$target: $(wc -c <"$target") bytes"
  else
    echo "$name: not dumped" >&2
    failed=1 # the others are dumped all the same
  fi
done
find "${BACKUPS:-/backups}" -name '*.dump' -mtime +30 -print -delete
find "${BACKUPS:-/backups}" -name '*.part' -mtime +1 -delete
exit "$failed"
