/** Kinds of records that a traced queue writes. */
export const RECEIVE = 1
export const TRANSMIT = 2
export const RING_FULL = 3
export const REFUSED_ENTRIES = 4
export const SLEEP = 5
