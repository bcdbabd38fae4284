import {
  NetCounters,
  type NetQueueGrant,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_RING_FULL,
  RX_DROPPED_TOO_LONG,
  TX_DROPPED,
  TX_PACKETS,
} from '@parakernel/hal'
import {
  calls,
  decodeXdpStatistics,
  foreign,
  replaceByEmpty,
  SOCK_CLOEXEC,
  SOL_XDP,
  XDP_STATISTICS,
  XDP_STATISTICS_BYTES,
  type XdpStatistics,
} from '@parakernel/linux'
import type { MappedRing, XdpTransport } from './transport.ts'

const RETIRED = 0
const ACKNOWLEDGED = 1
const RETIRE_NOT = 0
const RETIRE_STARTED = 1
const RETIRE_DONE = 2
/** Bytes of the shared words beside a socket: two words, RETIRED and ACKNOWLEDGED, then a double (`tooLongCounter`). */
export const RETIREMENT_BYTES = 16
/** Retiring is a handful of system calls; one that takes longer means that the other thread died in between. */
const RETIRE_PATIENCE_MS = 1000

/**
 * Ends a grant's socket, once, from whichever side comes first: the holder that detaches, or the control thread that
 * reclaims. When it returns the kernel neither reads nor writes the window's frames.
 *
 * The socket lives while anything refers to it: the descriptor and the four mappings. The descriptor is replaced by a
 * placeholder under the same number, the mappings by empty memory at the same addresses, so that a holder in the middle
 * of a burst reads zeros and kicks a placeholder, instead of crashing or hitting somebody else's object.
 */
export function retire(grant: NetQueueGrant<XdpTransport>): void {
  const { transport } = grant
  const word = new Int32Array(transport.retirement)
  if (Atomics.compareExchange(word, RETIRED, RETIRE_NOT, RETIRE_STARTED) !== RETIRE_NOT) {
    Atomics.wait(word, RETIRED, RETIRE_STARTED, RETIRE_PATIENCE_MS)
    return
  }
  settle(grant)
  for (const ring of [transport.rx, transport.tx, transport.fill, transport.completion]) {
    replaceByEmpty(ring.address, ring.length)
  }
  calls().dup3(transport.placeholder, transport.descriptor, SOCK_CLOEXEC)
  Atomics.store(word, RETIRED, RETIRE_DONE)
  Atomics.notify(word, RETIRED)
}

/** Whether the socket of a grant is gone. */
export function isRetired(transport: XdpTransport): boolean {
  return Atomics.load(new Int32Array(transport.retirement), RETIRED) === RETIRE_DONE
}

/** Frames that the holder refused because they reached into the window's tailroom; only the holder writes it. */
export function tooLongCounter(transport: XdpTransport): Float64Array {
  return new Float64Array(transport.retirement, 8, 1)
}

/** The holder looks at the rings and at the descriptor no more. */
export function acknowledge(transport: XdpTransport): void {
  Atomics.store(new Int32Array(transport.retirement), ACKNOWLEDGED, 1)
}

export function isAcknowledged(transport: XdpTransport): boolean {
  return Atomics.load(new Int32Array(transport.retirement), ACKNOWLEDGED) === 1
}

/** What the kernel counts for a socket, or undefined when there is no socket any more. */
export function socketStatistics(descriptor: number): XdpStatistics | undefined {
  const bytes = new Uint8Array(XDP_STATISTICS_BYTES)
  const length = new Uint32Array([bytes.length])
  if (calls().getsockopt(descriptor, SOL_XDP, XDP_STATISTICS, bytes, length) < 0) return undefined
  return decodeXdpStatistics(bytes)
}

/**
 * Brings the kernel's drop counters into the grant's own. They are absolute, and no holder writes these slots while the
 * socket lives, so it may be done at any time from any thread.
 */
export function refreshDrops(grant: NetQueueGrant<XdpTransport>): void {
  const statistics = socketStatistics(grant.transport.descriptor)
  if (statistics === undefined || isRetired(grant.transport)) return
  const { values } = new NetCounters(grant.counters)
  // The kernel counts a frame that found no buffer under both names.
  values[RX_DROPPED_NO_FRAME] = statistics.rxFillRingEmpty
  values[RX_DROPPED_TOO_LONG] =
    Math.max(0, statistics.rxDropped - statistics.rxFillRingEmpty) + tooLongCounter(grant.transport)[0]
  values[RX_DROPPED_RING_FULL] = statistics.rxRingFull
}

/** The last accounts: what arrived and was never received, what was accepted and never left. */
function settle(grant: NetQueueGrant<XdpTransport>): void {
  refreshDrops(grant)
  const { values } = new NetCounters(grant.counters)
  values[RX_DROPPED_RING_FULL] += entriesIn(grant.transport.rx)
  const unsent = entriesIn(grant.transport.tx)
  values[TX_PACKETS] -= unsent
  values[TX_DROPPED] += unsent
}

function entriesIn(ring: MappedRing): number {
  const words = new Int32Array(foreign().view(ring.address, ring.length))
  return (Atomics.load(words, ring.producer >> 2) - Atomics.load(words, ring.consumer >> 2)) | 0
}
