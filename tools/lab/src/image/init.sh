#!/bin/sh
# The first process of the machine: mounts, modules, the payload from the first disk, the command, and what it left behind to
# the second disk. ttyS0 is the console; ttyS1 carries the command's output and the exit line.
export PATH=/bin HOME=/tmp TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /tmp /artefacts /payload /mnt
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
while read -r module; do insmod "/modules/$module.ko" || echo "lab: $module does not load"; done </modules/order
ip link set lo up
stty -F /dev/ttyS1 raw -echo
echo 'LAB-UP' >/dev/ttyS1
status=125
if tar -x -f /dev/vda -C /payload; then
  cd /payload && sh ./run.sh </dev/null >/dev/ttyS1 2>&1
  status=$?
fi
# Only what it was asked to keep: the whole disk would be read back.
tar -c -f /dev/vdb -C /artefacts . && sync
echo "LAB-EXIT $status" >/dev/ttyS1
# The characters leave a serial port one by one.
sleep 0.1
poweroff -f
