#!/bin/sh
# Runs what the host has written to /run/control/command.sh, its output to the host, then switches the machine off.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/root LC_ALL=C.UTF-8

switch_off() { echo o >/proc/sysrq-trigger; exec sleep 60; }
say_and_end() { echo "virtual machine: $*"; switch_off; }
mount_9p() { # tag, folder, options
  mkdir -p "$2" && mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

echo 1 >/proc/sys/kernel/sysrq
tries=0
until [ -e /dev/virtio-ports/output ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
exec </dev/null >/dev/virtio-ports/output 2>&1

mount_9p control /run/control cache=none || say_and_end 'cannot mount the control folder'
: >/run/control/started
checkout=$(cat /run/control/checkout)
# Nobody writes to it from here, and who edits it on the host meanwhile starts another machine.
mount_9p checkout "$checkout" ro,cache=loose || say_and_end "cannot mount $checkout"
ip link set lo up

cd "$checkout" && sh /run/control/command.sh
echo $? >/run/control/exit-code
switch_off
