#!/bin/sh
# Installs what the local sites and the tests need of Debian and is missing: as root, or through sudo.
# Silent and instant when nothing is missing. Services that run are left alone, and none is started.
set -eu

PACKAGES="postgresql-15 postgresql-15-pglogical rabbitmq-server gettext libfaketime iproute2
          chromium fonts-noto-cjk python3-venv util-linux pgbackrest nftables
          prometheus prometheus-alertmanager prometheus-postgres-exporter"
POLICY=/usr/sbin/policy-rc.d

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=""
if command -v dpkg-query >/dev/null; then
    for package in $PACKAGES; do
        is_installed "$package" || missing="$missing $package"
    done
else
    missing=" $(echo $PACKAGES)"
fi
[ -n "$missing" ] || exit 0

fail() {
    echo "These Debian packages are missing:$missing" >&2
    echo "$1" >&2
    exit 1
}

command -v apt-get >/dev/null || fail "This system has no apt-get: install what they are called here, then try again."
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null; then
    as_root="sudo"
    [ -t 0 ] || sudo -n true 2>/dev/null || fail "sudo would ask for a password: run deploy/packages.sh from a terminal, or as root."
else
    fail "Neither root nor sudo is at hand: let an administrator run deploy/packages.sh once; root is not needed after that."
fi

echo "Installing Debian packages:$missing"

# Debian starts a server as soon as it is installed; exit code 101 of this file forbids it.
# https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
if [ ! -e "$POLICY" ]; then
    trap '$as_root rm -f "$POLICY"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$POLICY" >/dev/null
    $as_root chmod 755 "$POLICY"
fi

$as_root apt-get -qq update || echo "The package lists could not be renewed; trying with those that are there." >&2
# shellcheck disable=SC2086  # the list is meant to be split
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
    install --yes --no-install-recommends $missing >/dev/null
