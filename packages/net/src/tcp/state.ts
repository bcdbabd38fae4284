import type { StreamState } from '@parakernel/queue'

/** The states of a connection (RFC 9293 section 3.3.2), numbered so that ranges mean something. */
export const CLOSED = 0
export const LISTEN = 1
export const SYN_SENT = 2
export const SYN_RECEIVED = 3
/** From here on both sides know both initial sequence numbers: the "synchronized" states, but for SYN-RECEIVED. */
export const ESTABLISHED = 4
export const FIN_WAIT_1 = 5
export const FIN_WAIT_2 = 6
export const CLOSE_WAIT = 7
export const CLOSING = 8
export const LAST_ACK = 9
export const TIME_WAIT = 10

export type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

/** What moves a connection from one state to another. */
export const OPEN_ACTIVE = 0
export const OPEN_PASSIVE = 1
export const RECEIVE_SYN = 2
export const RECEIVE_SYN_ACK = 3
export const RECEIVE_ACK_OF_SYN = 4
/** Our FIN gets its place in the sequence space: the user closed, and it is sent as soon as the window allows. */
export const CLOSE = 5
export const RECEIVE_FIN = 6
export const RECEIVE_ACK_OF_FIN = 7
export const RECEIVE_RST = 8
/** Abort by the user, or a timeout or error that ends the connection. */
export const ABORT = 9
/** 2 MSL have passed in TIME-WAIT. */
export const EXPIRE = 10

export type StateEvent = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

export const STATE_NAMES: readonly StreamState[] = [
  'closed',
  'listen',
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
]

export const EVENT_NAMES: readonly string[] = [
  'active open',
  'passive open',
  'SYN',
  'SYN+ACK',
  'ACK of SYN',
  'close',
  'FIN',
  'ACK of FIN',
  'RST',
  'abort',
  '2 MSL',
]

/**
 * Figure 5 of RFC 9293, a row for each state, a column for each event; `__` keeps the state. A connection in LISTEN
 * does not occur here (a listener is not a connection), but the figure is complete. A FIN that acknowledges ours comes
 * as two events, the acknowledgment first, as section 3.10.7.4 orders them.
 */
const __ = -1
// biome-ignore format: a table
const TABLE = Int8Array.of(
  //            active        passive  SYN           SYN+ACK      ACK of SYN   close         FIN         ACK of FIN  RST
  // abort   2 MSL
  /* closed */  SYN_SENT,     LISTEN,  __,           __,          __,          __,           __,         __,         __,     __,     __,
  /* listen */  SYN_SENT,     __,      SYN_RECEIVED, __,          __,          CLOSED,       __,         __,         __,     CLOSED, __,
  /* syn-s. */  __,           __,      SYN_RECEIVED, ESTABLISHED, __,          CLOSED,       __,         __,         CLOSED, CLOSED, __,
  /* syn-r. */  __,           __,      __,           __,          ESTABLISHED, FIN_WAIT_1,   CLOSE_WAIT, __,         CLOSED, CLOSED, __,
  /* estab. */  __,           __,      __,           __,          __,          FIN_WAIT_1,   CLOSE_WAIT, __,         CLOSED, CLOSED, __,
  /* fin-w1 */  __,           __,      __,           __,          __,          __,           CLOSING,    FIN_WAIT_2, CLOSED, CLOSED, __,
  /* fin-w2 */  __,           __,      __,           __,          __,          __,           TIME_WAIT,  __,         CLOSED, CLOSED, __,
  /* clos-w */  __,           __,      __,           __,          __,          LAST_ACK,     __,         __,         CLOSED, CLOSED, __,
  /* clos-g */  __,           __,      __,           __,          __,          __,           __,         TIME_WAIT,  CLOSED, CLOSED, __,
  /* last-a */  __,           __,      __,           __,          __,          __,           __,         CLOSED,     CLOSED, CLOSED, __,
  /* time-w */  __,           __,      __,           __,          __,          __,           __,         __,         CLOSED, CLOSED, CLOSED,
)
const EVENTS = EVENT_NAMES.length

/** The state after `event` in `state`; the same when the event means nothing there. Pure. */
export function nextState(state: State, event: StateEvent): State {
  const next = TABLE[state * EVENTS + event]
  return next === __ ? state : (next as State)
}

/** The whole machine as text, for a reader and for the test that keeps it. */
export function stateTable(): string {
  const rows = STATE_NAMES.map((name, state) => [
    name as string,
    ...EVENT_NAMES.map((_, event) => {
      const next = TABLE[state * EVENTS + event]
      return next === __ ? '.' : (STATE_NAMES[next] as string)
    }),
  ])
  const all = [['', ...EVENT_NAMES], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
