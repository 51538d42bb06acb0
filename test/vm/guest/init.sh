#!/bin/sh
# Process 1 of the initial ram disk: finds the disk, and makes it the root that systemd starts from.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t devtmpfs devices /dev
for module in /modules/*.ko; do $busybox insmod "$module"; done
tries=0
until [ -b /dev/vda ] || [ $tries = 250 ]; do $busybox usleep 20000; tries=$((tries + 1)); done
$busybox mount -t ext4 -o noatime /dev/vda /root || $busybox poweroff -f
$busybox umount /proc
$busybox mount -o move /dev /root/dev
exec $busybox switch_root /root /sbin/init
