import { existsSync, readFileSync } from 'node:fs'
import type { NetOptions } from '@parakernel/net'

/** How scripts are run, as packetdrill's own runner runs them. */
export const VARIANTS = {
  ipv4: { mtu: 1500, flags: ['--ip_version=ipv4', ...ipv4Flags()] },
  'ipv4-mapped-ipv6': { mtu: 1500, flags: ['--ip_version=ipv4-mapped-ipv6', ...ipv4Flags()] },
  ipv6: {
    mtu: 1520,
    flags: [
      ...['--ip_version=ipv6', '--mtu=1520', '--local_ip=fd3d:0a0b:17d6::1', '--gateway_ip=fd3d:0a0b:17d6:8888::1'],
      ...['--remote_ip=fd3d:fa7b:d17d::1', '-D', 'CMSG_LEVEL_IP=SOL_IPV6', '-D', 'CMSG_TYPE_RECVERR=IPV6_RECVERR'],
    ],
  },
} as const
export type Variant = keyof typeof VARIANTS

function ipv4Flags(): string[] {
  const flags = [
    '--local_ip=192.168.0.1',
    '--gateway_ip=192.168.0.1',
    '--netmask_ip=255.255.0.0',
    '--remote_ip=192.0.2.1',
  ]
  return [...flags, '-D', 'CODE=host_unreachable', '-D', 'CMSG_LEVEL_IP=SOL_IP', '-D', 'CMSG_TYPE_RECVERR=IP_RECVERR']
}

/**
 * The stack's options for a script: what its commands set with sysctl in the namespace of this process is read back, so that
 * our stack is set up as the script wanted Linux to be.
 */
export function stackOptions(): NetOptions {
  const value = (name: string) => sysctl(name).split(/\s+/).map(Number)
  const on = (name: string) => value(name)[0] !== 0
  const [receiveLeast, receiveFirst, receiveMost] = value('tcp_rmem')
  const [sendLeast, sendFirst, sendMost] = value('tcp_wmem')
  const [ecn] = value('tcp_ecn')
  return {
    address: '192.168.0.1/16',
    gateway: '192.168.255.254',
    addresses: ['fd3d:0a0b:17d6::1/64'],
    gateway6: 'fd3d:0a0b:17d6::ffff',
    addressCheck: 'none',
    seed: 1,
    tcpCongestionControl: sysctl('tcp_congestion_control') === 'cubic' ? 'cubic' : 'newreno',
    tcpSack: on('tcp_sack'),
    tcpTimestamps: on('tcp_timestamps'),
    tcpWindowScaling: on('tcp_window_scaling'),
    tcpEcn: ecn === 1 ? 'active' : ecn === 2 ? 'passive' : 'off',
    tcpSlowStartAfterIdle: on('tcp_slow_start_after_idle'),
    tcpTailLossProbe: on('tcp_early_retrans'),
    tcpRack: on('tcp_recovery'),
    tcpMtuProbing: ['off', 'black-hole', 'always'][value('tcp_mtu_probing')[0]] ?? 'off',
    tcpSynRetries: value('tcp_syn_retries')[0],
    tcpSynAckRetries: value('tcp_synack_retries')[0],
    // Linux counts its own overhead, half of a buffer, in these; the window scale follows from the whole of the largest.
    tcpReceiveBufferMinimum: receiveLeast >>> 1,
    tcpReceiveBufferInitial: receiveFirst >>> 1,
    tcpReceiveBufferMaximum: receiveMost,
    tcpSendBufferMinimum: sendLeast >>> 1,
    tcpSendBufferInitial: sendFirst >>> 1,
    tcpSendBufferMaximum: sendMost >>> 1,
  } as NetOptions
}

function sysctl(name: string): string {
  const asked = askedFor().get(`net.ipv4.${name}`)
  return asked ?? readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim()
}

/**
 * What the script's commands asked for with `sysctl`, whether or not Linux granted it here: the host may not allow a namespace
 * the congestion control that the script wants. Written by `commands/sysctl`.
 */
function askedFor(): Map<string, string> {
  const file = process.env['PK_SYSCTLS']
  const lines = file === undefined || !existsSync(file) ? [] : readFileSync(file, 'utf8').split('\n')
  return new Map(lines.filter((line) => line.includes('=')).map((line) => line.split('=', 2) as [string, string]))
}
