import type { FramePool } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'
import { type Log, type LogOptions, type Medium, openLog } from '../../src/index.ts'
import type { LogOracle } from './oracle.ts'
import { Random } from './random.ts'

const LEVELS: readonly Durability[] = ['flushed', 'flushed', 'fua', 'buffered']

export interface WorkloadOptions {
  readonly seed: number
  readonly steps: number
  /** Longest record. */
  readonly longest: number
  readonly log?: LogOptions
  /** Every session begins with a forced record, so that no order of the device is for nothing. Default: most do. */
  readonly forced?: boolean
}

/** Lets go of a medium as a process that dies does, without closing what stands on it, and gives another one on the same device. */
export type Reattach = () => Promise<Medium>

/**
 * Writers, truncations, clean and unclean restarts at random, each thing that the log promises noted with the oracle.
 */
export async function runWorkload(
  medium: Medium,
  reattach: Reattach,
  oracle: LogOracle,
  { seed, steps, longest, log: options = {}, forced = false }: WorkloadOptions,
): Promise<void> {
  const random = new Random(seed)
  let log = await openLog(medium, options)
  oracle.reopened(log.next, log.epoch)
  if (forced) await first(log, random, oracle)
  for (let step = 0; step < steps; step++) {
    const what = random.below(100)
    if (what < 72) await burst(log, random, longest, oracle)
    else if (what < 84) await cut(log, random, oracle)
    else if (what < 90) {
      await log.close()
      oracle.closed()
      medium = await reattach()
      oracle.opening()
      log = await openLog(medium, options)
      oracle.reopened(log.next, log.epoch)
      await first(log, random, oracle)
    } else {
      stage(log, random.bytes(random.below(longest)), 'buffered', oracle)
      if (random.chance(70)) await written(log)
      medium = await reattach()
      log = await openLog(medium, options)
      oracle.reopened(log.next, log.epoch)
      if (random.chance(60) || forced) await first(log, random, oracle)
    }
  }
  await log.close()
  oracle.closed()
}

/** A new epoch's first record, forced: nothing but the superblock's own write makes the epoch durable. */
async function first(log: Log, random: Random, oracle: LogOracle): Promise<void> {
  const { sequence, done } = stage(log, random.bytes(20), 'fua', oracle)
  if (sequence > 0) {
    await done
    return
  }
  await log.truncate(log.next)
  oracle.truncated(log.first)
  await stage(log, random.bytes(20), 'fua', oracle).done
}

async function burst(log: Log, random: Random, longest: number, oracle: LogOracle): Promise<void> {
  const pending: Promise<unknown>[] = []
  const level = LEVELS[random.below(LEVELS.length)]
  for (let i = 1 + random.below(5); i > 0; i--) {
    const size = random.chance(15) ? longest : random.below(Math.ceil(longest / 6))
    const mixed = random.chance(70) ? level : LEVELS[random.below(LEVELS.length)]
    const { sequence, done } = random.chance(15)
      ? stageFrame(log, random, mixed, oracle)
      : stage(log, random.bytes(size), mixed, oracle)
    if (sequence > 0) pending.push(done)
    else {
      await log.sync()
      await log.truncate(log.next - random.below(3))
      oracle.truncated(log.first)
    }
  }
  if (random.chance(90)) await Promise.all(pending)
  if (random.chance(20)) {
    const { next } = log
    await log.sync()
    oracle.acknowledged(next - 1)
  }
}

async function cut(log: Log, random: Random, oracle: LogOracle): Promise<void> {
  const before = log.first + random.below(log.next - log.first + 1)
  oracle.truncating(before)
  await log.truncate(before)
  oracle.truncated(before)
}

/** Until all that was appended has been written, flushed or not. */
async function written(log: Log): Promise<void> {
  if (log.next > log.first) await log.read(log.next - 1)
}

function stage(log: Log, bytes: Uint8Array, level: Durability, oracle: LogOracle) {
  let resolve: (value?: unknown) => void = () => {}
  const done = new Promise((r) => {
    resolve = r
  })
  const sequence = log.append(bytes, level, (status, number) => {
    if (status === 0 && level !== 'buffered') oracle.acknowledged(number)
    resolve()
  })
  if (sequence > 0) oracle.appended(sequence, bytes)
  // Whatever does not fit is made room for; what was asked to be truncated is noted before.
  else oracle.truncating(log.next)
  return { sequence, done }
}

function stageFrame(log: Log, random: Random, level: Durability, oracle: LogOracle) {
  const { pool } = log.medium
  const frame = pool.allocate()
  if (frame < 0) return stage(log, random.bytes(10), level, oracle)
  const offset = 40 + random.below(600)
  const bytes = random.bytes(random.below(900))
  fill(pool, frame, offset, bytes)
  let resolve: (value?: unknown) => void = () => {}
  const done = new Promise((r) => {
    resolve = r
  })
  const sequence = log.appendFrame(frame, offset, bytes.length, level, (status, number) => {
    if (status === 0 && level !== 'buffered') oracle.acknowledged(number)
    resolve()
  })
  pool.release(frame)
  if (sequence > 0) oracle.appended(sequence, bytes)
  else oracle.truncating(log.next)
  return { sequence, done }
}

function fill(pool: FramePool, frame: number, offset: number, bytes: Uint8Array): void {
  pool.bytes.fill(0xee, pool.address(frame), pool.address(frame) + pool.frameSize)
  pool.copyIn(pool.address(frame) + offset, bytes)
}
