import { createRing, type RingDescriptor } from '@parakernel/kernel'

export interface RingShape {
  /** A power of two; default 256. */
  readonly slots: number
  /** Longest message, a multiple of 8; default 2048. */
  readonly slotBytes: number
}

type RingRow = readonly (RingDescriptor | undefined)[]

/** A ring from each partition to each other one. Row i is what partition i gets. */
export function createRings(
  wakes: readonly SharedArrayBuffer[],
  { slots, slotBytes }: RingShape = { slots: 256, slotBytes: 2048 },
): { readonly incoming: readonly RingRow[]; readonly outgoing: readonly RingRow[] } {
  const outgoing = wakes.map((_, from) =>
    wakes.map((wake, to) => (from === to ? undefined : createRing({ slots, slotBytes, wake }))),
  )
  return { outgoing, incoming: wakes.map((_, to) => outgoing.map((row) => row[to])) }
}
