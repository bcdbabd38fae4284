#!/usr/bin/env bash
# Installs what the tests and benchmarks use from a Debian system. Nothing of it is needed to run parakernel.
#   tools/setup/system-packages.sh            for `npm test`
#   tools/setup/system-packages.sh --bench    also the peers that `pnpm bench` compares with
set -euo pipefail

packages=(busybox-static clang curl dnsmasq-base e2fsprogs iperf3 iproute2 iputils-ping lld netcat-openbsd nmap qemu-system-x86 radvd socat spin tshark wrk)
if [ "${1:-}" = --bench ]; then packages+=(fio gcc libc6-dev libpmem-dev libpmemlog-dev memcached redis-server redis-tools libmemcached-tools); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

sudo=
if [ "$(id -u)" -ne 0 ]; then sudo=sudo; fi
export DEBIAN_FRONTEND=noninteractive
# Debian starts a server when it installs one; the benchmarks start their own, on their own ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed: ${missing[*]}"
