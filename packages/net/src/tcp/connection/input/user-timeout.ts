import type { ControlBlock } from '../control-block.ts'

/** L_LIMIT and U_LIMIT of RFC 5482 section 3.1: the least is R2 of RFC 1122, 100 s. */
const LEAST = 100e9
const MOST = 3600e9

/** The top bit of the option says minutes, else seconds (RFC 5482 section 2). */
const MINUTES = 0x8000

/**
 * The peer tells how long it waits for acknowledgments: ours becomes the longer of both within the limits. Ignored
 * unless `announceUserTimeout` says that we take part.
 */
export function processUserTimeout(c: ControlBlock, option: number): void {
  if (!c.settings.announceUserTimeout) return
  const remote = (option & 0x7fff) * ((option & MINUTES) === 0 ? 1e9 : 60e9)
  if (remote === 0) return
  c.userTimeout = Math.min(MOST, Math.max(c.settings.userTimeout, remote, LEAST))
}

/** Our timeout as the option has it, rounded up. */
export function userTimeoutOption(nanoseconds: number): number {
  const seconds = Math.ceil(nanoseconds / 1e9)
  return seconds < MINUTES ? seconds : MINUTES | Math.min(0x7fff, Math.ceil(seconds / 60))
}
