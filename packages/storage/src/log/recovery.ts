import { ParakernelError } from '@parakernel/hal'
import type { Medium } from '../medium/medium.ts'
import { Chain } from './chain.ts'
import type { LogGeometry } from './geometry.ts'
import type { LostRecords } from './log.ts'
import type { SparseIndex } from './sparse-index.ts'
import type { Superblock } from './superblock.ts'
import { openWindow } from './window.ts'

export interface RecoveryOptions {
  readonly damaged: 'refuse' | 'skip'
  readonly searchLimit: number
}

/** Where a log goes on, and what was found on the way there. */
export interface Recovered {
  readonly tailSequence: number
  readonly tailPosition: number
  readonly records: number
  readonly tornBytes: number
  readonly lost: readonly LostRecords[]
}

/**
 * Walks the records from the oldest on. Where there is no good one, that is the end of the log, or damage. It is damage when the
 * record must have been durable: because it is of an earlier epoch, because the log was closed cleanly behind it, because a later
 * record says so, or when the media cannot be read there. What is only torn was never acknowledged, and is forgotten. Writes nothing.
 * @throws EUCLEAN for damage, unless it is to be skipped
 */
export async function recoverLog(
  medium: Medium,
  geometry: LogGeometry,
  superblock: Superblock,
  index: SparseIndex,
  options: RecoveryOptions,
): Promise<Recovered> {
  const { headSequence, headPosition, clean, tailSequence, tailPosition } = superblock
  const limit = clean ? tailPosition : headPosition + geometry.length
  const window = openWindow(medium, geometry)
  const chain = new Chain(window, geometry, superblock, limit, headPosition, headSequence)
  const lost: LostRecords[] = []
  let records = 0
  try {
    for (;;) {
      while (chain.nextNow() ?? (await chain.next())) {
        records++
        index.note(chain.start, chain.sequence)
      }
      const { position, expected } = chain
      if (clean && expected >= tailSequence) break
      const media = chain.unreadable()
      const known = media || clean || position < superblock.epochPosition
      const found = await chain.search(position, options.searchLimit)
      const resumeAt = found ? chain.start : position
      const resumeSequence = found ? chain.sequence : expected
      const torn = (found ? chain.position : position) - position
      if (!known && !(await durableBehind(chain, expected, options.searchLimit))) {
        return { tailSequence: expected, tailPosition: position, records, tornBytes: torn, lost }
      }
      const next = resumption(superblock, found, resumeSequence, resumeAt, expected, position, geometry)
      const reason = media ? 'media' : 'checksum'
      const byteLength = next.position - position
      if (next.sequence > expected || media) {
        lost.push({ first: expected, last: next.sequence - 1, position, byteLength, reason })
      }
      if (options.damaged === 'refuse') throw damage(medium, lost, reason, position)
      chain.position = next.position
      chain.expected = next.sequence
      if (next.end) break
    }
  } finally {
    window.release()
  }
  const end = clean ? superblock : { tailSequence: chain.expected, tailPosition: chain.position }
  return { tailSequence: end.tailSequence, tailPosition: end.tailPosition, records, tornBytes: 0, lost }
}

/** Whether any later record says that the one that is missing had been durable. Leaves the chain wherever that is. */
async function durableBehind(chain: Chain, missing: number, searchLimit: number): Promise<boolean> {
  const { position } = chain
  while (chain.durableBefore <= missing) {
    if (!(await chain.search(chain.position, searchLimit - (chain.position - position)))) break
  }
  return chain.durableBefore > missing
}

/** Where to read on behind damage: at the next good record, or else where the superblock knows one to begin. */
function resumption(
  superblock: Superblock,
  found: boolean,
  foundSequence: number,
  foundAt: number,
  expected: number,
  position: number,
  geometry: LogGeometry,
): { sequence: number; position: number; end: boolean } {
  if (found) return { sequence: foundSequence, position: foundAt, end: false }
  if (position < superblock.epochPosition) {
    return { sequence: superblock.epochSequence, position: superblock.epochPosition, end: false }
  }
  if (superblock.clean) return { sequence: superblock.tailSequence, position: superblock.tailPosition, end: true }
  // Nothing is known about what lay here: go on in the next block that can be written anew.
  const next = position + geometry.unit - (position % geometry.unit)
  return { sequence: expected, position: next, end: true }
}

function damage(medium: Medium, lost: readonly LostRecords[], reason: string, position: number): ParakernelError {
  const [first] = lost
  const what =
    first === undefined || first.last < first.first
      ? `the log is damaged at ${position}`
      : `acknowledged records ${first.first} to ${first.last} are damaged`
  return new ParakernelError('EUCLEAN', `${what} (${reason}); nothing was changed`, {
    subject: medium.name,
    remedy: "Restore the image from a copy, or open it with `damaged: 'skip'` to use what is left",
  })
}
