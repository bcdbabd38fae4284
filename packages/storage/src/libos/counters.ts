import { Counters } from '@parakernel/hal'
import { FILE_COUNTERS, type FileCounter } from '@parakernel/queue'

const at = (name: FileCounter): number => FILE_COUNTERS.indexOf(name)

export const OPENS = at('opens')
export const CLOSES = at('closes')
export const PUSHES = at('pushes')
export const POPS = at('pops')
export const SYNCS = at('syncs')
export const RESHAPES = at('reshapes')
export const BYTES_PUSHED = at('bytesPushed')
export const BYTES_POPPED = at('bytesPopped')
export const FAILED = at('failed')

/** The group `file` of a libOS. */
export function fileCounters(): Counters<FileCounter> {
  return new Counters(FILE_COUNTERS)
}
