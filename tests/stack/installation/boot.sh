#!/bin/sh
# Makes the folder $1 the root of a machine and becomes its systemd. To be run in namespaces of its own.
# What is installed here is there too, and whatever is written stays in memory: the machine's disk is an overlay of ours.
set -eu
base=$1 name=$2 root=$1/root
mount -t tmpfs -o mode=755 none "$base"
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$root"

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs none "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 none "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for folder in dev/shm tmp var/tmp; do mount -t tmpfs -o mode=1777 none "$root/$folder"; done
mount -t tmpfs -o mode=755 none "$root/run"

# A fresh Debian: nothing is enabled, and what a machine has that is none is left out.
: >"$root/etc/fstab"
rm -rf "$root"/etc/systemd/system/*.wants
for unit in systemd-udevd systemd-udev-trigger systemd-timesyncd systemd-modules-load systemd-sysctl systemd-logind \
    systemd-random-seed systemd-journal-flush systemd-pstore systemd-networkd getty@tty1; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
done
printf '[Unit]\nRequires=sysinit.target dbus.socket\nAfter=sysinit.target\nAllowIsolate=yes\n' \
    >"$root/etc/systemd/system/machine.target"
hostname "$name"
echo "$name" >"$root/etc/hostname"
echo "127.0.1.1 $name" >>"$root/etc/hosts"
ip link set lo up
cd "$root"
mkdir mnt/outside
pivot_root . mnt/outside
exec env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin container=kuroshio LANG=C.UTF-8 sh -c '
    umount --lazy /mnt/outside
    exec /lib/systemd/systemd --unit=machine.target --show-status=no --log-target=console --log-level=notice'
