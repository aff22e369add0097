#!/bin/sh
# First process of a guest, in namespaces of its own: makes ROOT the whole file system, then becomes sshd.
#   enter.sh ROOT NAME
set -eu
root=$1 name=$2
hostname "$name"
mount --bind "$root" "$root"
for folder in usr bin sbin lib lib32 lib64 libx32; do
    if [ -d "/$folder" ] && [ ! -L "/$folder" ]; then
        mount --bind "/$folder" "$root/$folder"
        mount -o remount,bind,ro "$root/$folder"
    fi
done
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
cd "$root"
pivot_root . old
umount -l /old
exec /usr/sbin/sshd -D -e
