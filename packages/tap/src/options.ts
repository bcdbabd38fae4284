import type { MacAddress, OptionSpecs } from '@parakernel/hal'

/**
 * What the two ends leave undone in packets to each other, because they never cross a wire:
 *
 * - `none`: nothing; every packet is as it would be on a cable.
 * - `checksum`: transport checksums.
 * - `tcp`: checksums, and TCP super-frames uncut.
 * - `all`: UDP super-frames too, for a libOS that cuts them itself.
 */
export type TapOffloads = 'none' | 'checksum' | 'tcp' | 'all'

export interface TapOptions {
  /** Name of the TAP interface; its other end is this device. */
  readonly interface: string
  /** Creates the interface where there is none of this name. Default true. */
  readonly create?: boolean
  /** Leaves the interface behind when the device is closed. Default false: it goes, unless it was persistent before. */
  readonly persistent?: boolean
  /** Network namespace (`ip netns`) of the interface. Default: that of the thread that opens the device. */
  readonly namespace?: string
  /** Queue pairs. Default 1. */
  readonly queues?: number
  /** Address of our end. Default: derived from that of the interface, which is the kernel's end. */
  readonly mac?: MacAddress
  /** Longest IP packet. Default: that of the interface, 1500 for one that is created. */
  readonly mtu?: number
  /** Packets that wait for each queue in the kernel. Default: that of the interface, 1024 for one that is created. */
  readonly ringSize?: number
  /** Default `tcp`. */
  readonly offloads?: TapOffloads
  /** Addresses with prefix length that the kernel gets at its end, as `10.0.0.2/24`. */
  readonly hostAddresses?: readonly string[]
}

export const DEFAULT_RING_SIZE = 1024
export const MAX_QUEUES = 256

declare module '@parakernel/hal' {
  interface NetBackendOptions {
    tap: TapOptions
  }
}

export const optionSpecs: OptionSpecs = {
  interface: { type: 'string', description: 'name of the TAP interface', required: true },
  create: { type: 'boolean', description: 'create the interface where there is none of this name', default: true },
  persistent: { type: 'boolean', description: 'leave the interface behind when the device is closed', default: false },
  namespace: { type: 'string', description: 'network namespace of the interface; this one when absent' },
  queues: { type: 'integer', description: 'queue pairs', default: 1, min: 1, max: MAX_QUEUES },
  mac: {
    type: 'string',
    description: "Ethernet address of our end; derived from the interface's when absent",
    form: { example: '02:00:00:00:00:01', pattern: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i },
  },
  mtu: { type: 'integer', description: "longest IP packet; the interface's when absent", min: 68, max: 65_521 },
  ringSize: {
    type: 'integer',
    description: `packets that wait for a queue; the interface's when absent, ${DEFAULT_RING_SIZE} for a new one`,
    min: 1,
    max: 65_536,
  },
  offloads: {
    type: 'string',
    description: 'what the ends leave undone in packets to each other',
    values: ['none', 'checksum', 'tcp', 'all'],
    default: 'tcp',
  },
  hostAddresses: { type: 'string[]', description: 'addresses of the kernel at its end, as 10.0.0.2/24' },
}
