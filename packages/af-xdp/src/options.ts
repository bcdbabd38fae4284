import type { OptionSpecs } from '@parakernel/hal'

/**
 * Who computes transport checksums of what is transmitted:
 *
 * - `none`: the libOS.
 * - `metadata`: the driver, asked by metadata before the packet; the kernel where the driver cannot. A veth leaves it undone,
 *   as for packets of the kernel itself: its peer gets a partial checksum.
 * - `kernel`: asked in the same way, the kernel computes it before the driver sees the packet.
 */
export type TransmitChecksum = 'none' | 'metadata' | 'kernel'

export interface AfXdpOptions {
  /** Network interface of this namespace. */
  readonly interface: string
  /** Queues to use, from 0. Default: all that the interface uses. */
  readonly queues?: number
  /** Where the program runs: in the driver, in the kernel's generic hook, or wherever possible. Default `auto`. */
  readonly mode?: 'auto' | 'native' | 'skb'
  /** Addresses of the libOS, with or without prefix length: their traffic is taken from the kernel. */
  readonly addresses?: readonly string[]
  /** Destination ports to take at any address: `udp/9000-9015`, `tcp/80`. */
  readonly ports?: readonly string[]
  /** Takes every frame that the receive filter lets pass: to the interface, to broadcast, to groups that are asked for. */
  readonly take?: 'all'
  /** Entries of each ring, a power of two. Default 2048. */
  readonly ringSize?: number
  /** Demands the driver's zero-copy mode. Default false: copy mode, which every interface has. */
  readonly zeroCopy?: boolean
  /** Who computes transport checksums of what is transmitted (see `TransmitChecksum`). */
  readonly transmitChecksum?: TransmitChecksum
  /** Uses the program that another process attached, and one of the queues that it left free. Default false. */
  readonly join?: boolean
}

export const DEFAULT_RING_SIZE = 2048

declare module '@parakernel/hal' {
  interface NetBackendOptions {
    'af-xdp': AfXdpOptions
  }
}

export const optionSpecs: OptionSpecs = {
  interface: { type: 'string', description: 'network interface', required: true },
  queues: { type: 'integer', description: 'queues to use, from 0; all that the interface uses when absent', min: 1 },
  mode: {
    type: 'string',
    description: 'where the XDP program runs',
    values: ['auto', 'native', 'skb'],
    default: 'auto',
  },
  addresses: { type: 'string[]', description: 'addresses whose traffic is taken, as 10.0.0.1/24 or fd00::1/64' },
  ports: { type: 'string[]', description: 'destination ports that are taken at any address, as udp/9000-9015' },
  take: { type: 'string', description: 'all: every frame that the receive filter lets pass', values: ['all'] },
  ringSize: {
    type: 'integer',
    description: 'entries of each ring, a power of two',
    default: DEFAULT_RING_SIZE,
    min: 64,
    max: 32_768,
  },
  zeroCopy: { type: 'boolean', description: "demand the driver's zero-copy mode", default: false },
  transmitChecksum: {
    type: 'string',
    description: 'who computes transport checksums: the libOS, the driver, or the kernel',
    values: ['none', 'metadata', 'kernel'],
    default: 'none',
  },
  join: { type: 'boolean', description: 'use the program that another process attached', default: false },
}
