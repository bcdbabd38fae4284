import { NetCounters, type NetQueueGrant } from '@parakernel/hal'
import { calls, replaceByEmpty, SOCK_CLOEXEC } from '@parakernel/linux'
import { viewRing } from './data/ring-view.ts'
import { Ledger } from './ledger.ts'
import { openTable } from './steering/queue-filter.ts'
import type { MappedRing, XdpTransport } from './transport.ts'

/** Words of `XdpTransport.retirement`. */
const RETIRED = 0
const ACKNOWLEDGED = 1
export const RETIREMENT_BYTES = 8

const RETIRE_NOT = 0
const RETIRE_STARTED = 1
const RETIRE_DONE = 2
/** Retiring is a handful of system calls; when it takes longer the other thread has died in between: each is repeatable. */
const RETIRE_PATIENCE_MS = 1000

/**
 * Ends a grant's socket, once, from whichever side comes first: the holder that detaches, or the control thread that
 * reclaims. When it returns the kernel neither reads nor writes the window's frames.
 *
 * The socket lives while anything refers to it: the descriptor and the four mappings. The descriptor is replaced by a
 * placeholder under the same number, the mappings by empty memory at the same addresses, so that a holder in the middle
 * of a burst reads zeros and kicks a placeholder, instead of crashing or hitting somebody else's object.
 */
export function retire({ transport, counters, queue }: NetQueueGrant<XdpTransport>): void {
  const words = new Int32Array(transport.retirement)
  const before = Atomics.compareExchange(words, RETIRED, RETIRE_NOT, RETIRE_STARTED)
  if (before === RETIRE_DONE) return
  if (before === RETIRE_STARTED) {
    Atomics.wait(words, RETIRED, RETIRE_STARTED, RETIRE_PATIENCE_MS)
    if (Atomics.load(words, RETIRED) === RETIRE_DONE) return
  }
  const ledger = new Ledger(transport.ledger, new NetCounters(counters))
  ledger.refresh(transport.descriptor, transport.filter === undefined ? 0 : openTable(transport.filter).leftOut(queue))
  ledger.close(entriesIn(transport.rx), entriesIn(transport.tx), bytesIn(transport.tx, transport.ringSize))
  for (const ring of [transport.rx, transport.tx, transport.fill, transport.completion]) {
    replaceByEmpty(ring.address, ring.length)
  }
  calls().dup3(transport.placeholder, transport.descriptor, SOCK_CLOEXEC)
  Atomics.store(words, RETIRED, RETIRE_DONE)
  Atomics.notify(words, RETIRED)
}

/** Whether the socket of a grant is still there. */
export function isOpen(transport: XdpTransport): boolean {
  return Atomics.load(new Int32Array(transport.retirement), RETIRED) === RETIRE_NOT
}

/** The holder looks at the rings and at the descriptor no more. */
export function acknowledge(transport: XdpTransport): void {
  Atomics.store(new Int32Array(transport.retirement), ACKNOWLEDGED, 1)
}

export function isAcknowledged(transport: XdpTransport): boolean {
  return Atomics.load(new Int32Array(transport.retirement), ACKNOWLEDGED) === 1
}

function entriesIn(ring: MappedRing): number {
  const { producer, consumer } = viewRing(ring)
  return (Atomics.load(producer, 0) - Atomics.load(consumer, 0)) | 0
}

/** Bytes of the packets in a transmit ring. */
function bytesIn(ring: MappedRing, ringSize: number): number {
  const { consumer, entries } = viewRing(ring)
  const first = Atomics.load(consumer, 0)
  let bytes = 0
  for (let i = 0; i < entriesIn(ring); i++) bytes += entries[(((first + i) & (ringSize - 1)) << 2) + 2]
  return bytes
}
