import { distance } from '../../sequence.ts'
import { CLOSE_WAIT, ESTABLISHED, SYN_RECEIVED, SYN_SENT } from '../../state.ts'
import type { ControlBlock } from '../control-block.ts'
import { EVENT_WRITABLE } from '../events.ts'

/** Whether our half is open, or about to be. */
export function maySend(c: ControlBlock): boolean {
  const { state } = c
  if (c.finQueued || c.orphaned) return false
  return state === ESTABLISHED || state === CLOSE_WAIT || state === SYN_SENT || state === SYN_RECEIVED
}

/** Bytes that may be pushed now. */
export function room(c: ControlBlock): number {
  const { state, sendQueue, settings } = c
  if (!maySend(c)) return 0
  const free = c.sendTuning.size - sendQueue.bytes
  if (free <= 0) return 0
  if (settings.notSentLowWater === 0 || state < ESTABLISHED) return free
  return Math.max(0, Math.min(free, settings.notSentLowWater - distance(sendQueue.tail, c.sendNext)))
}

/**
 * Tells a writer that met a full buffer when there is room: only when a third is free, so that it writes in earnest and
 * not a segment at a time.
 */
export function noteRoom(c: ControlBlock): void {
  if (!c.wantsRoom) return
  const { settings, sendQueue } = c
  if (settings.notSentLowWater > 0 ? room(c) === 0 : sendQueue.bytes * 3 > c.sendTuning.size * 2) return
  c.wantsRoom = false
  c.events |= EVENT_WRITABLE
}
