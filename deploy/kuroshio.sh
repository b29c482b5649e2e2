#!/bin/sh
# One of the site's programs, as its user, with the site's settings: kuroshio replication status
# What belongs to the web node runs as the user of that: kuroshio manage add_user --help. The servers' own files, users
# and first role are made as root: `deploy.host files`, `deploy.host users` and `deploy.host database`.
set -eu
user=kuroshio
case "$*" in
    "deploy.host files"* | "deploy.host users"* | "deploy.host database"*) user=root ;;
    "deploy.host web"* | "deploy.host migrate"* | manage*) user=kuroshio-web ;;
esac
set -a
. /etc/kuroshio/site.env
[ "$user" = kuroshio-web ] && KUROSHIO_STATE=/var/lib/kuroshio-web || KUROSHIO_STATE=/var/lib/kuroshio
set +a
cd /opt/kuroshio/current
[ "$user" = root ] && exec .venv/bin/python -m "$@"
exec setpriv --reuid="$user" --regid="$user" --init-groups .venv/bin/python -m "$@"
