#!/bin/sh
# One of the site's programs, as the site's user, with the site's settings: kuroshio replication status
# The servers' own files and first role are written as root: `deploy.host files` and `deploy.host database`.
set -eu
set -a
. /etc/kuroshio/site.env
set +a
cd /opt/kuroshio/current
case "$*" in
    "deploy.host files"* | "deploy.host database"*) exec .venv/bin/python -m "$@" ;;
    *) exec setpriv --reuid=kuroshio --regid=kuroshio --init-groups .venv/bin/python -m "$@" ;;
esac
