#!/bin/sh
# First process of the sandbox: builds the machine around itself, says so, and stays until its stdin closes.
# Arguments: skeleton of the file system, mount point, MiB of disk, addresses. Programs come from /usr of the real
# machine; what the sandbox writes there stays in its own memory.
set -eu
skeleton=$1
root=$2
disk=$3
shift 3

ip link set lo up
for address in "$@"; do ip address add "$address/32" dev lo; done

mount --make-rprivate /
mount -t tmpfs -o "size=${disk}m,mode=755" disk "$root"
cp -a "$skeleton/." "$root/"
cd "$root"
while read -r folder; do
  mount --bind "/$folder" "$folder"
  mount -o remount,bind,ro "$folder"
done <sandbox/shared
mkdir -p usr var/lib var/tmp tmp run proc sys dev root home .usr/upper .usr/work
chmod 1777 tmp var/tmp
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then cp -a "/$name" "$name"; elif [ -d "/$name" ]; then mkdir "$name" && mount --rbind "/$name" "$name"; fi
done
mount -t overlay -o "lowerdir=/usr,upperdir=.usr/upper,workdir=.usr/work" overlay usr
rm -f usr/local/bin/k3s usr/local/bin/kubectl usr/local/bin/crictl usr/local/bin/ctr
mkdir -p usr/local/sbin
cp -a sandbox/sbin/. usr/local/sbin/

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 run run
mount --bind sandbox/boot-id proc/sys/kernel/random/boot_id
mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <sandbox/devices

if [ -e sandbox/kubectl.path ]; then
  : >sandbox/kubectl
  mount --bind "$(cat sandbox/kubectl.path)" sandbox/kubectl
fi

# Said from inside: before that, the root directory of this process is that of the real machine.
exec chroot . sh -c 'echo built; exec cat >/dev/null'
