#!/bin/sh
# The first process of a cluster's namespaces: makes them a node's, says so, then stays: the cluster ends when it does.
# It runs as `unshare --mount --net --pid --cgroup --uts --ipc --fork sh node.sh FOLDER NODE ADDRESS HIERARCHY...`, where
# a hierarchy is one of cgroup v1: controllers with commas between, or name=... without any. Nothing of the machine
# changes: each mount, interface and setting here is of these namespaces alone.
set -eu
folder=$1 node=$2 address=$3
shift 3

# This /proc still is the machine's: the id is the one that others know us by.
read -r pid _ </proc/self/stat
echo "$pid" >"$folder/init.pid"

# What containers mount is seen by all in here.
mount --make-rshared /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for hierarchy in "$@"; do
  place=/sys/fs/cgroup/${hierarchy#name=}
  mkdir "$place"
  case $hierarchy in name=*) options=none,$hierarchy ;; *) options=$hierarchy ;; esac
  mount -t cgroup -o "$options" cgroup "$place"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock

# The kubelet insists on these: it is shown the wanted value, and the machine keeps its own.
show() {
  [ "$(cat "/proc/sys/$1")" != "$2" ] || return 0
  shown=/run/$(echo "$1" | tr / .)
  echo "$2" >"$shown"
  mount --bind "$shown" "/proc/sys/$1"
}
show vm/overcommit_memory 1
show vm/panic_on_oom 0
show kernel/panic 10
show kernel/panic_on_oops 1
show kernel/keys/root_maxkeys 1000000
show kernel/keys/root_maxbytes 25000000

# A bridge carries the node's address, since not every kernel has dummy interfaces; no way leads out of it.
hostname "$node"
ip link set lo up
ip link add node0 type bridge
ip address add "$address/24" dev node0
ip link set node0 up
ip route add default via "$address"
echo 1 >/proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
printf '127.0.0.1 localhost\n%s %s\n' "$address" "$node" >/run/hosts
mount --bind /run/hosts /etc/hosts
printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' "$address" >/run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf
echo "nameserver $address" >/run/pods.resolv.conf

: >"$folder/set-up"
# A shell that waits also reaps what is orphaned to it.
sleep infinity &
wait
