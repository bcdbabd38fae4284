import { ParakernelError } from '@parakernel/hal'
import { readHeader } from '../format/header.ts'
import { flush } from '../medium/awaitable.ts'
import { statusError } from '../medium/errno.ts'
import type { Medium } from '../medium/medium.ts'
import { BlockLog } from './block-log.ts'
import { geometryOf, LOG_VERSION, type LogGeometry } from './geometry.ts'
import type { Log, LogOptions } from './log.ts'
import { PersistentLog, persistRing } from './persistent-log.ts'
import { recoverLog } from './recovery.ts'
import type { LogParts } from './ring-log.ts'
import { SparseIndex } from './sparse-index.ts'
import { loadSuperblock, type Superblock, storeSuperblock } from './superblock.ts'

const MiB = 1 << 20

/**
 * Opens the log on a medium: finds the records that are there, begins a new epoch, and gives a log that takes more. On persistent
 * memory it works on the memory itself, else on blocks. One log at a time on one medium.
 * @throws EINVAL for no log, another format or block size; EUCLEAN for damage to acknowledged records; ENOBUFS for a pool that is
 * too small; EIO, ENODEV and others for the device
 */
export async function openLog(medium: Medium, options: LogOptions = {}): Promise<Log> {
  const header = await readHeader(medium, 'log', LOG_VERSION)
  const geometry = geometryOf(medium, header)
  const found = await loadSuperblock(medium, header.uuid)
  checkSuperblock(medium, found, geometry)
  const index = new SparseIndex(geometry.length)
  const searchLimit = options.searchLimit ?? 64 * MiB
  const recovered = await recoverLog(medium, geometry, found, index, {
    damaged: options.damaged ?? 'refuse',
    searchLimit,
  })
  const { tailSequence, tailPosition } = recovered
  const { persistent } = medium
  // What was found may still be in a volatile cache: it has to survive before anybody builds on it.
  if (!found.clean) await makeDurable(medium, geometry, found, tailPosition)
  const superblock: Superblock = {
    ...found,
    generation: found.generation + 1,
    epoch: found.epoch + 1,
    epochSequence: tailSequence,
    epochPosition: tailPosition,
    clean: false,
    tailSequence: 0,
    tailPosition: 0,
  }
  const frames = persistent === undefined ? takeFrames(medium, geometry, options.groupLimit) : undefined
  const parts: LogParts = {
    medium,
    uuid: header.uuid,
    geometry,
    superblock,
    index,
    tailSequence,
    tailPosition,
    recovery: {
      clean: found.clean,
      records: recovered.records,
      tornBytes: recovered.tornBytes,
      lost: recovered.lost,
    },
    durability: options.durability ?? 'flushed',
    maxPending: options.maxPending ?? 8192,
    groupLimit: frames?.groupLimit ?? 0,
    gather: options.gather ?? 100_000,
    searchLimit,
    trim: options.trim ?? true,
  }
  try {
    const log =
      persistent === undefined
        ? new BlockLog(parts, (frames as GroupFrames).frames)
        : new PersistentLog(parts, persistent.region, persistent.position)
    if (log instanceof BlockLog) await log.prepare()
    await storeSuperblock(medium, superblock, header.uuid)
    return log
  } catch (error) {
    for (const frame of frames?.all ?? []) medium.pool.release(frame)
    throw error
  }
}

/** Everything of the last epoch: what is older was durable when that began. */
async function makeDurable(medium: Medium, geometry: LogGeometry, found: Superblock, tail: number): Promise<void> {
  const { persistent } = medium
  if (persistent === undefined) return flush(medium)
  const from = Math.max(found.headPosition, found.epochPosition)
  if (from >= tail) return
  const { start, length } = geometry
  const status = persistRing(persistent.region, persistent.position + start, length, from, tail)
  if (status !== 0) throw statusError(status, 'what was found cannot be written back', medium.name)
}

interface GroupFrames {
  readonly groupLimit: number
  /** The log's stack, and for the case that opening fails what it began with. */
  readonly frames: Int32Array
  readonly all: Int32Array
}

/** Frames for two groups, one filling and one being written; at most half of what the pool has free. */
function takeFrames(medium: Medium, geometry: LogGeometry, limit: number | undefined): GroupFrames {
  const { pool } = medium
  const room = pool.frameSize - (pool.frameSize % geometry.unit)
  const available = pool.available - pool.deviceReserve
  const wanted = limit ?? Math.min(MiB, Math.max(geometry.recordLimit + 4 * geometry.unit, 16 * geometry.unit))
  const count = 2 * (Math.ceil(wanted / room) + 2)
  const taken = Math.min(count, limit === undefined ? Math.floor(available / 2) : available)
  const groupLimit = Math.min(wanted, (Math.floor(taken / 2) - 2) * room)
  if (groupLimit < 4 * geometry.unit) {
    throw new ParakernelError('ENOBUFS', `${available} free frames of ${pool.frameSize} bytes are too few for a log`, {
      subject: medium.name,
      remedy: 'Give the lease more frames, or larger ones',
    })
  }
  const frames = Int32Array.from({ length: taken }, () => pool.allocate())
  return { groupLimit, frames, all: frames.slice() }
}

/** @throws EUCLEAN for numbers that no log has, though their checksum is right */
function checkSuperblock(medium: Medium, block: Superblock, geometry: LogGeometry): void {
  const { headPosition, headSequence, epochPosition, epochSequence, tailPosition, tailSequence, clean } = block
  const end = headPosition + geometry.length
  const exact = [headPosition, epochPosition, tailPosition, tailSequence, headSequence].every(Number.isSafeInteger)
  const aligned = headPosition % 8 === 0 && epochPosition % 8 === 0 && tailPosition % 8 === 0
  const tail = !clean || (tailPosition >= headPosition && tailPosition <= end && tailSequence >= headSequence)
  if (exact && aligned && tail && headSequence > 0 && epochPosition <= end && epochSequence > 0) return
  throw new ParakernelError('EUCLEAN', 'the superblock of the log contradicts itself', {
    subject: medium.name,
    remedy: 'Restore the image from a copy',
  })
}
