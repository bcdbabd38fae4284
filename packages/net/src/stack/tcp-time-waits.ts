import {
  DROP_TCP_IN_TIME_WAIT,
  DROP_TCP_RESET_IN_TIME_WAIT,
  EXT_CHALLENGE_ACKS_SKIPPED,
  EXT_TIME_WAIT_REUSED,
} from '../tcp/counters.ts'
import { EXT_TIME_WAIT_EVICTIONS, EXT_TIME_WAITS } from '../tcp/input-counters.ts'
import { acknowledgmentOf } from '../tcp/passive/replies.ts'
import { NO_TIME_WAIT, TimeWaitState, TimeWaitTable } from '../tcp/passive/time-wait.ts'
import {
  judgeTimeWait,
  TIME_WAIT_ACKNOWLEDGE,
  TIME_WAIT_IGNORE,
  TIME_WAIT_REOPEN,
  TIME_WAIT_RESET,
  TIME_WAIT_RESTART,
} from '../tcp/passive/time-wait-rules.ts'
import { timestampAt } from '../tcp/recovery/timestamp-clock.ts'
import type { Segment } from '../tcp/segment.ts'
import type { Incoming } from './incoming.ts'
import { entryOf, KIND_TIME_WAIT, type TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { TcpHandshakes } from './tcp-handshakes.ts'
import type { TcpOutput } from './tcp-output.ts'

/** Least time between two ACKs of a record that anybody could provoke. */
const ANSWER_INTERVAL = 500e6

/** Connections in TIME-WAIT without a socket: records instead of connections, and what answers for them. */
export class TcpTimeWaits {
  readonly records: TimeWaitTable
  readonly #tcp: TcpContext
  readonly #output: TcpOutput
  readonly #handshakes: TcpHandshakes
  readonly #state = new TimeWaitState()

  constructor(context: TcpContext, output: TcpOutput, handshakes: TcpHandshakes) {
    this.#tcp = context
    this.#output = output
    this.#handshakes = handshakes
    this.records = new TimeWaitTable(context.limits.timeWaits, context.settings.timeWait)
  }

  /** A connection that nobody holds has entered TIME-WAIT: a record takes its place. */
  replace(endpoint: TcpEndpoint): void {
    const { table, inputCounters, now } = this.#tcp
    const state = this.#state
    const { path, ports, connection } = endpoint
    if (this.records.isFull) {
      inputCounters.values[EXT_TIME_WAIT_EVICTIONS]++
      this.#end(this.records.oldest)
    }
    state.local.set(path.local)
    state.remote.set(path.remote)
    state.ports = ports
    connection.releaseTimeWait(state)
    inputCounters.values[EXT_TIME_WAITS]++
    this.#tcp.remove(endpoint)
    table.insert(state.local, state.remote, ports, entryOf(KIND_TIME_WAIT, this.records.add(state, now)))
  }

  /** Ends what is over. */
  expire(): void {
    const { now } = this.#tcp
    while (this.records.deadline <= now[0]) this.#end(this.records.oldest)
  }

  clear(): void {
    while (this.records.oldest !== NO_TIME_WAIT) this.#end(this.records.oldest)
  }

  receive(record: number, incoming: Incoming, segment: Segment): void {
    const { counters, now, settings } = this.#tcp
    const { values } = counters
    const state = this.#state
    this.records.read(record, state)
    switch (judgeTimeWait(state, segment, settings.timeWaitReuse)) {
      case TIME_WAIT_RESTART:
        this.records.restart(record, now)
        this.#acknowledge(incoming)
        return
      case TIME_WAIT_ACKNOWLEDGE:
        values[DROP_TCP_IN_TIME_WAIT]++
        if (this.records.mayAnswer(record, ANSWER_INTERVAL, now)) this.#acknowledge(incoming)
        else values[EXT_CHALLENGE_ACKS_SKIPPED]++
        return
      case TIME_WAIT_REOPEN: {
        // Without a listener there is nothing to open, and the old connection keeps its place.
        const port = state.ports & 0xffff
        if (this.#tcp.bound.find(incoming.destination, port) === undefined) {
          values[DROP_TCP_IN_TIME_WAIT]++
          if (this.records.mayAnswer(record, ANSWER_INTERVAL, now)) this.#acknowledge(incoming)
          else values[EXT_CHALLENGE_ACKS_SKIPPED]++
          return
        }
        values[EXT_TIME_WAIT_REUSED]++
        this.#end(record)
        this.#handshakes.reopen(incoming, segment, state)
        return
      }
      case TIME_WAIT_RESET:
        values[DROP_TCP_RESET_IN_TIME_WAIT]++
        return
      case TIME_WAIT_IGNORE:
        values[DROP_TCP_IN_TIME_WAIT]++
    }
  }

  #acknowledge(incoming: Incoming): void {
    const { sent, now } = this.#tcp
    const { sendNext, receiveNext, window, hasTimestamps, timestampOffset, timestampRecent } = this.#state
    acknowledgmentOf(sendNext, receiveNext, window, sent)
    if (hasTimestamps) {
      sent.hasTimestamp = true
      sent.timestampValue = timestampAt(now[0], timestampOffset)
      sent.timestampEcho = timestampRecent
    }
    this.#output.answer(incoming, sent)
  }

  #end(record: number): void {
    const state = this.#state
    this.records.read(record, state)
    this.#tcp.table.remove(state.local, state.remote, state.ports)
    this.records.remove(record)
  }
}
