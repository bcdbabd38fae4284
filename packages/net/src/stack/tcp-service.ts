import type { ErrorCode } from '@parakernel/hal'
import type { TcpSettings } from '../tcp/settings.ts'
import { CLOSED, TIME_WAIT } from '../tcp/state.ts'
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { ErrorLog } from './error-log.ts'
import type { NetInterface } from './interface.ts'
import type { Output } from './output.ts'
import type { Siblings } from './siblings.ts'
import { TcpContext, type TcpLimits } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import { TcpErrors } from './tcp-errors.ts'
import { TcpFastPath } from './tcp-fast-path.ts'
import { TcpHandshakes } from './tcp-handshakes.ts'
import { TcpInput } from './tcp-input.ts'
import { TcpOutput } from './tcp-output.ts'
import { TcpPressure } from './tcp-pressure.ts'
import { TcpTimeWaits } from './tcp-time-waits.ts'

/** What the sockets above are told. */
export interface TcpListener {
  /** A round begins to tell. */
  beginRound(): void
  /** There is something to tell that no connection has stirred. */
  readonly hasWork: boolean
  /** `connection.events` is not 0; whoever is told clears it. */
  changed(endpoint: TcpEndpoint): void
  /**
   * Once a round, after all have been told of: handlers are called. Returns whether that moved anything.
   * @param now handed on to the handlers: as a number it is boxed once a round, and not once a handler
   */
  deliver(now: number): boolean
}

const NOBODY: TcpListener = {
  beginRound: () => {},
  hasWork: false,
  changed: (endpoint) => {
    endpoint.connection.events = 0
  },
  deliver: () => false,
}

/** TCP of one partition's stack, wired: segments and time come in from below, sockets stand above. */
export class TcpService {
  readonly context: TcpContext
  readonly input: TcpInput
  readonly fastPath: TcpFastPath
  readonly errors: TcpErrors
  readonly handshakes: TcpHandshakes
  readonly timeWaits: TcpTimeWaits
  /** Replaced by the sockets. */
  listener: TcpListener = NOBODY
  readonly #output: TcpOutput
  readonly #pressure: TcpPressure
  /** When the connection at hand wants to be asked again. */
  readonly #deadline = new Float64Array(1)

  constructor(
    stack: StackContext,
    errors: ErrorLog,
    output: Output,
    settings: TcpSettings,
    limits: TcpLimits,
    siblings: Siblings | undefined,
    addresses: AddressTable,
  ) {
    const context = new TcpContext(stack, settings, limits)
    this.context = context
    this.#pressure = new TcpPressure(context)
    this.#output = new TcpOutput(context, output, limits.burst, (endpoint) => this.#settled(endpoint))
    this.handshakes = new TcpHandshakes(context, output, this.#output)
    this.timeWaits = new TcpTimeWaits(context, this.#output, this.handshakes)
    this.input = new TcpInput(context, this.#output, this.handshakes, this.timeWaits, siblings)
    this.fastPath = new TcpFastPath(context, addresses)
    this.errors = new TcpErrors(context, errors)
  }

  /**
   * The end of a round: sockets hear what their connections have to tell, and what they then want to send goes out together with
   * the ACKs for all that arrived in the round.
   */
  run(now: number): void {
    const { stirring, ready } = this.context
    this.listener.beginRound()
    this.#output.beginRound()
    this.#pressure.relieve()
    do {
      while (stirring.size > 0) {
        const endpoint = stirring.shift()
        endpoint.isStirring = false
        if (endpoint.connection.events !== 0) this.listener.changed(endpoint)
      }
      const moved = this.listener.deliver(now)
      if (ready.size > 0) this.#output.run()
      if (!moved && stirring.size === 0) return
    } while (stirring.size > 0)
  }

  /** Whether a connection has something to send that the device did not take. */
  get hasWork(): boolean {
    return this.context.ready.size > 0 || this.context.stirring.size > 0 || this.listener.hasWork
  }

  /** Does what time has made due. */
  pollTimers(): void {
    const { timers, endpoints, now } = this.context
    for (let slot = timers.expired(now); slot >= 0; slot = timers.expired(now)) {
      const endpoint = endpoints.slots[slot] as TcpEndpoint
      endpoint.connection.pollInto(this.#deadline)
      // It was put off since: the timer of the stack is set again only now.
      if (this.#deadline[0] > now[0]) timers.arm(slot, this.#deadline)
      else this.context.touch(endpoint)
    }
    this.handshakes.expire()
    this.timeWaits.expire()
  }

  nextTimer(): number {
    const { timers } = this.context
    return Math.min(timers.next, this.handshakes.backlog.deadline, this.timeWaits.records.deadline)
  }

  /** Drops every connection, half-open record and TIME-WAIT record, and gives back their frames; resets are owed and sent. */
  clear(): void {
    const { endpoints } = this.context
    for (const endpoint of endpoints.slots) {
      if (endpoint === undefined) continue
      endpoint.connection.abort()
      this.context.touch(endpoint)
    }
    for (let before = -1; before !== this.context.ready.size; ) {
      before = this.context.ready.size
      this.run(this.context.now[0])
    }
    for (const endpoint of endpoints.slots) {
      if (endpoint === undefined) continue
      endpoint.connection.abort()
      this.context.remove(endpoint)
    }
    this.timeWaits.clear()
    this.context.budget.shared.clear()
  }

  /** Ends every connection by way of an interface whose queues are gone. Bytes that were not read are lost with it. */
  abortAll(iface: NetInterface, failure: ErrorCode): void {
    for (const endpoint of this.context.endpoints.slots) {
      if (endpoint?.path.interface !== iface) continue
      endpoint.connection.abort(failure)
      this.context.touch(endpoint)
    }
  }

  /** A connection has nothing to send for now: it waits for its timer, or is over. */
  #settled(endpoint: TcpEndpoint): void {
    const { connection, slot } = endpoint
    const { context } = this
    if (slot < 0) return
    if (connection.state === CLOSED) {
      context.remove(endpoint)
      return
    }
    if (connection.state === TIME_WAIT && endpoint.socket === undefined && connection.events === 0) {
      this.timeWaits.replace(endpoint)
      connection.events = 0
      return
    }
    connection.pollInto(this.#deadline)
    if (context.timers.arm(slot, this.#deadline)) context.stack.timersMoved = true
  }
}
