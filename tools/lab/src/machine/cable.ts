import { spawnSync } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../image/programs.ts'

/** Addresses of both ends, as the suites know them. */
export const CABLE = {
  guestMac: '02:00:00:00:00:03',
  guestAddress: '10.77.7.2',
  hostMac: '02:00:00:00:00:fe',
  hostAddress: '10.77.7.1',
} as const

/** Receive and transmit queues: only a TAP interface gives a virtio NIC more than one pair, and at most one for each processor. */
const QUEUES = 4

/** Options of `unshare` that give a private network namespace to this user; undefined where the kernel gives none. */
function namespaceOptions(): readonly string[] | undefined {
  if (findProgram('unshare') === undefined || !mayOpen('/dev/net/tun')) return undefined
  const ways = process.getuid?.() === 0 ? [['--net']] : [['--map-root-user', '--net']]
  return ways.find((way) => spawnSync('unshare', [...way, 'true'], { stdio: 'ignore' }).status === 0)
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

export interface Cable {
  /** Words before the command of the machine: it runs in a network namespace of its own, which goes with it. */
  readonly wrapper: readonly string[]
  /** QEMU's part of the NIC. */
  readonly devices: readonly string[]
}

/**
 * A multi-queue NIC whose other end is the kernel of this machine, in a network namespace that nothing else is in: it answers what the
 * guest sends to it, ICMP echo and refused connections. Undefined where no namespace can be made; suites that need the NIC say so.
 */
export function createCable(folder: string): Cable | undefined {
  const options = namespaceOptions()
  if (options === undefined) return undefined
  const script = join(folder, 'cable-up.sh')
  const { guestMac, guestAddress, hostMac, hostAddress } = CABLE
  const lines = [
    '#!/bin/sh -e',
    `ip link set "$1" address ${hostMac}`,
    `ip addr add ${hostAddress}/30 dev "$1"`,
    'ip link set "$1" up',
    `ip neigh add ${guestAddress} lladdr ${guestMac} dev "$1" nud permanent`,
  ]
  writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 })
  return {
    wrapper: ['unshare', ...options, '--'],
    devices: [
      ...['-netdev', `tap,id=cable,queues=${QUEUES},ifname=lab0,script=${script},downscript=no`],
      // Offloads of the receiving side would keep a native XDP program out.
      ...[
        '-device',
        `virtio-net-pci,netdev=cable,mac=${guestMac},mq=on,vectors=${2 * QUEUES + 2},guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,romfile=`,
      ],
    ],
  }
}
