#!/bin/sh
# What a container of compose.yaml runs as root: makes what is missing, as the playbook does on a host, then becomes the server.
set -eu
env | grep -E '^(KUROSHIO_|PYTHONPATH=)' >/etc/kuroshio/site.env
case "$1" in
    postgresql)
        [ -e /var/lib/postgresql/15/main ] || pg_createcluster 15 main
        kuroshio deploy.host secrets
        kuroshio deploy.host files --listen "$LISTEN"
        exec setpriv --reuid=postgres --regid=postgres --init-groups \
            /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main \
            -c config_file=/etc/postgresql/15/main/postgresql.conf
        ;;
    rabbitmq)
        kuroshio deploy.host files --listen "$LISTEN"
        chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
        exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server
        ;;
    prepare)
        kuroshio deploy.host database
        exec kuroshio deploy.host prepare
        ;;
    *) exec kuroshio "$@" ;;
esac
