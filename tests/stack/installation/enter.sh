#!/bin/sh
# Stands where ssh stands: runs the last argument on the machine that the one before it names, whose first process's id
# lies in the folder MACHINES. Ansible calls it with ssh's options, which say nothing here.
set -eu
while [ $# -gt 2 ]; do shift; done
exec nsenter --target "$(cat "$MACHINES/$1")" --all --root --wd=/ \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root sh -c "$2"
