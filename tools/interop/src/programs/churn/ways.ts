/**
 * The ways in which a connection can come to its end, by what each side does. The side that opened it is the client. Every
 * connection carries a few bytes first, but for `simultaneous`, where both say their end as soon as it is open.
 */
export const WAYS = ['clientFirst', 'serverFirst', 'clientReset', 'serverReset', 'halfClose', 'simultaneous'] as const

export type Way = (typeof WAYS)[number]

/** The port of each way's server. */
export const PORTS: Readonly<Record<Way, number>> = {
  clientFirst: 2001,
  serverFirst: 2002,
  clientReset: 2003,
  serverReset: 2004,
  halfClose: 2005,
  simultaneous: 2006,
}

export const QUESTION = 'how do you do?'
/** What the server of `halfClose` says, after the client's end. */
export const LATE_ANSWER = 'heard to the end'
