import { type OptionSpecs, ParakernelError } from '@parakernel/hal'
import { checkOptions } from '../check-options.ts'

export interface PcapOptions {
  /** False: the device is not wrapped at all. Default true. */
  readonly enabled?: boolean
  /** Where the files go, one a queue: `<directory>/<name>-q<queue>.pcap`. Made if need be. Default `.`. */
  readonly directory?: string
  /** First part of the file names. Default: the device's name. */
  readonly name?: string
  /** Bytes kept of each packet. Default 65535: all. */
  readonly snapLength?: number
  /** Bytes that may wait for the disk, for each queue; a power of two. Default 4 MiB. */
  readonly buffer?: number
}

/** What the data half gets. */
export interface PcapSettings {
  readonly ring: SharedArrayBuffer
  /** The writer's doorbell. */
  readonly bell: SharedArrayBuffer
  readonly fd: number
  readonly snapLength: number
  /** What to add to the clock to get the time since 1970, in two parts because their sum does not fit a double. */
  readonly epochSeconds: number
  readonly epochNanoseconds: number
}

export const pcapOptions = {
  enabled: { type: 'boolean', description: 'Wrap the device at all', default: true },
  directory: { type: 'string', description: 'Where the files go, one for each queue', default: '.' },
  name: { type: 'string', description: "First part of the file names; the device's name if absent" },
  snapLength: { type: 'integer', description: 'Bytes kept of each packet', default: 65_535, min: 1, max: 65_535 },
  buffer: {
    type: 'integer',
    description: 'Bytes that may wait for the disk, for each queue; a power of two',
    default: 4_194_304,
    min: 131_072,
    max: 1_073_741_824,
  },
} as const satisfies OptionSpecs

/** @throws EINVAL naming the option that is unknown or out of range. */
export function checkPcapOptions(options: PcapOptions): void {
  checkOptions('pcap', options, pcapOptions)
  const { buffer = pcapOptions.buffer.default } = options
  if ((buffer & (buffer - 1)) === 0) return
  throw new ParakernelError('EINVAL', `is ${buffer}`, {
    subject: 'pcap.buffer',
    remedy: `Give a power of two from ${pcapOptions.buffer.min} to ${pcapOptions.buffer.max}`,
  })
}
