#!/bin/sh
# What a container of compose.yaml runs as root: makes what is missing, as the playbook does on a host, then becomes the server.
set -eu
env | grep -E '^(KUROSHIO_|PYTHONPATH=)' >/etc/kuroshio/site.env
case "$1" in
    postgresql)
        [ -e /var/lib/postgresql/15/main ] || pg_createcluster 15 main
        kuroshio deploy.host secrets
        kuroshio deploy.host web-secrets
        kuroshio deploy.host files --listen "$LISTEN" --of postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups \
            /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main \
            -c config_file=/etc/postgresql/15/main/postgresql.conf
        ;;
    rabbitmq)
        until [ -e /var/lib/kuroshio/keys/tls.pem ]; do
            echo "waiting for this site's certificate, /var/lib/kuroshio/keys/tls.pem and ca.pem: python -m deploy.certificates" >&2
            sleep 10
        done
        kuroshio deploy.host files --listen "$LISTEN" --of rabbitmq
        chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
        exec env HOME=/var/lib/rabbitmq setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server
        ;;
    prepare)
        kuroshio deploy.host database
        kuroshio deploy.host migrate
        exec kuroshio deploy.host prepare
        ;;
    *) exec kuroshio "$@" ;;
esac
