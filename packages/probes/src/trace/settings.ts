import type { OptionSpecs } from '@parakernel/hal'
import { checkOptions } from '../check-options.ts'

export interface TraceOptions {
  /** False: the device is not wrapped at all. Default true. */
  readonly enabled?: boolean
  /** The file, written when the device is closed or the process exits. Default `<device>.trace.json`. */
  readonly file?: string
  /** Events that are kept of each queue; older ones are overwritten. Default 16384. */
  readonly events?: number
}

/** What the data half gets. */
export interface TraceSettings {
  readonly ring: SharedArrayBuffer
}

export const traceOptions = {
  enabled: { type: 'boolean', description: 'Wrap the device at all', default: true },
  file: { type: 'string', description: 'Where the trace goes; <device>.trace.json if absent' },
  events: {
    type: 'integer',
    description: 'Events kept of each queue',
    default: 16_384,
    min: 16,
    max: 16_777_216,
  },
} as const satisfies OptionSpecs

/** @throws EINVAL naming the option that is unknown or out of range. */
export function eventsKept(options: TraceOptions): number {
  checkOptions('trace', options, traceOptions)
  return options.events ?? traceOptions.events.default
}
