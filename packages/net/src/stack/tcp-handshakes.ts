import { Handshake } from '../tcp/connection/handshake.ts'
import { EXT_CHALLENGE_ACKS, EXT_CHALLENGE_ACKS_SKIPPED, TCP_ATTEMPT_FAILS, TCP_OUT_RSTS } from '../tcp/counters.ts'
import {
  DROP_TCP_LISTEN_ACCEPT_FULL,
  DROP_TCP_LISTEN_BACKLOG_FULL,
  DROP_TCP_LISTEN_BAD_FLAGS,
  DROP_TCP_LISTEN_NO_CONNECTION,
  DROP_TCP_LISTEN_RESET,
  DROP_TCP_SYN_RECEIVED_BAD_ACK,
  DROP_TCP_SYN_RECEIVED_EXPIRED,
  DROP_TCP_SYN_RECEIVED_OUTSIDE,
  DROP_TCP_SYN_RECEIVED_RESET,
  EXT_SYN_ACKS_RETRANSMITTED,
  EXT_SYN_COOKIES_ACCEPTED,
  EXT_SYN_COOKIES_FAILED,
  EXT_SYN_COOKIES_SENT,
  EXT_SYNS_RECEIVED,
} from '../tcp/input-counters.ts'
import { acknowledgmentOf, resetFor } from '../tcp/passive/replies.ts'
import { agree, fillSynAck, openingScale, openingWindow, stamp } from '../tcp/passive/syn-ack.ts'
import { NO_RECORD, SynBacklog } from '../tcp/passive/syn-backlog.ts'
import { SynCookies, stampWithOptions } from '../tcp/passive/syn-cookies.ts'
import {
  judgeSynReceived,
  SYN_CHALLENGE,
  SYN_COMPLETE,
  SYN_FORGET,
  SYN_IGNORE,
  SYN_REFUSE,
  SYN_REPEAT,
} from '../tcp/passive/syn-received.ts'
import type { TimeWaitState } from '../tcp/passive/time-wait.ts'
import { sequenceAfter } from '../tcp/passive/time-wait-rules.ts'
import { ACK, FIN, RST, type Segment, SYN } from '../tcp/segment.ts'
import * as tcp from '../tcp/wire.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { Output } from './output.ts'
import { entryOf, KIND_SYN, type TcpContext } from './tcp-context.ts'
import type { Listener } from './tcp-listeners.ts'
import type { TcpOutput } from './tcp-output.ts'

/** Cookies are looked for in ACKs for so long after the last one was sent: as long as one is good. */
const COOKIE_LIFE = 180e9
/** Least time between two ACKs of a half-open record that anybody could provoke. */
const CHALLENGE_INTERVAL = 500e6

/**
 * Passive opens up to the point where there is a connection: SYNs for listeners, half-open records and their retransmissions, cookies
 * under pressure (RFC 9293 section 3.10.7.2 and SYN-RECEIVED in 3.10.7.4, RFC 4987).
 */
export class TcpHandshakes {
  readonly backlog: SynBacklog
  readonly #tcp: TcpContext
  readonly #output: Output
  readonly #tcpOutput: TcpOutput
  readonly #cookies: SynCookies
  readonly #agreed = new Handshake()
  readonly #local = new Int32Array(4)
  readonly #remote = new Int32Array(4)
  /** When the last cookie was sent. */
  readonly #lastCookie = Float64Array.of(Number.NEGATIVE_INFINITY)

  constructor(context: TcpContext, output: Output, tcpOutput: TcpOutput) {
    const { limits, settings, stack } = context
    this.#tcp = context
    this.#output = output
    this.#tcpOutput = tcpOutput
    this.backlog = new SynBacklog(limits.synBacklog, settings.synAckRetries, settings.initialRto)
    this.#cookies = new SynCookies(stack.random)
  }

  /** A segment without a connection for a listener; false when it deserves a reset. */
  receive(listener: Listener, incoming: Incoming, segment: Segment): boolean {
    const { flags } = segment
    if ((flags & RST) !== 0) {
      this.#tcp.inputCounters.values[DROP_TCP_LISTEN_RESET]++
      return true
    }
    if ((flags & ACK) !== 0) return (flags & SYN) === 0 && this.#cookie(listener, incoming, segment)
    if ((flags & SYN) === 0 || (flags & FIN) !== 0) {
      this.#tcp.inputCounters.values[DROP_TCP_LISTEN_BAD_FLAGS]++
      return true
    }
    this.#syn(listener, incoming, segment, undefined)
    return true
  }

  /** A SYN that takes the place of a connection in TIME-WAIT; there is a listener for it. */
  reopen(incoming: Incoming, segment: Segment, old: TimeWaitState): void {
    const listener = this.#tcp.bound.find(incoming.destination, old.ports & 0xffff)
    if (listener !== undefined) this.#syn(listener, incoming, segment, old)
  }

  /** A segment for a half-open record. */
  progress(record: number, incoming: Incoming, segment: Segment): void {
    const { backlog } = this
    const { bound, inputCounters, counters, sent } = this.#tcp
    const listener = bound.listener(backlog.listener(record)) as Listener
    const { values } = inputCounters
    switch (judgeSynReceived(backlog, record, segment, openingWindow(listener.socket.settings))) {
      case SYN_REPEAT:
        values[EXT_SYN_ACKS_RETRANSMITTED]++
        backlog.repeated(record)
        backlog.handshake(record, this.#agreed)
        this.#answerWith(listener, incoming.interface, incoming.family)
        this.#tcpOutput.answer(incoming, sent)
        return
      case SYN_COMPLETE:
        if (listener.backlog.isFull) {
          // The peer takes its connection for open: our SYN+ACK comes again, and so does its ACK.
          values[DROP_TCP_LISTEN_ACCEPT_FULL]++
          listener.backlog.overflows++
          return
        }
        backlog.handshake(record, this.#agreed)
        this.#forget(record, listener)
        this.#open(listener, incoming, segment)
        return
      case SYN_FORGET:
        values[DROP_TCP_SYN_RECEIVED_RESET]++
        counters.values[TCP_ATTEMPT_FAILS]++
        listener.backlog.reset++
        this.#forget(record, listener)
        return
      case SYN_CHALLENGE:
        values[DROP_TCP_SYN_RECEIVED_OUTSIDE]++
        this.#challenge(record, listener, incoming)
        return
      case SYN_REFUSE:
        values[DROP_TCP_SYN_RECEIVED_BAD_ACK]++
        if (!resetFor(segment, sent)) return
        counters.values[TCP_OUT_RSTS]++
        this.#tcpOutput.answer(incoming, sent)
        return
      case SYN_IGNORE:
        values[DROP_TCP_SYN_RECEIVED_OUTSIDE]++
    }
  }

  /** Sends again what is due, and gives up what was sent often enough. */
  expire(): void {
    const { backlog } = this
    const { now, bound, inputCounters, counters, sent } = this.#tcp
    for (let record = backlog.due(now); record !== NO_RECORD; record = backlog.due(now)) {
      const listener = bound.listener(backlog.listener(record)) as Listener
      if (backlog.isSpent(record)) {
        inputCounters.values[DROP_TCP_SYN_RECEIVED_EXPIRED]++
        counters.values[TCP_ATTEMPT_FAILS]++
        listener.backlog.expired++
        this.#forget(record, listener)
        continue
      }
      backlog.again(record, now)
      backlog.addresses(record, this.#local, this.#remote)
      const path = this.#output.pathTo(this.#local, this.#remote)
      if (path.failure !== undefined) continue
      inputCounters.values[EXT_SYN_ACKS_RETRANSMITTED]++
      backlog.handshake(record, this.#agreed)
      this.#answerWith(listener, path.interface, path.family)
      this.#tcpOutput.send(path, sent, backlog.ports(record), listener.socket.options.ttl)
    }
  }

  /** A listener closes: its half-open connections are reset, as those are that wait for an accept. */
  close(listener: Listener): void {
    const { backlog } = this
    const { sent, counters } = this.#tcp
    for (let record = backlog.findOf(listener.id); record !== NO_RECORD; record = backlog.findOf(listener.id)) {
      backlog.addresses(record, this.#local, this.#remote)
      const path = this.#output.pathTo(this.#local, this.#remote)
      sent.clear()
      sent.flags = RST | ACK
      sent.sequence = (backlog.localSequence(record) + 1) | 0
      sent.acknowledgment = (backlog.remoteSequence(record) + 1) | 0
      counters.values[TCP_OUT_RSTS]++
      counters.values[TCP_ATTEMPT_FAILS]++
      this.#tcpOutput.send(path, sent, backlog.ports(record), 0)
      this.#forget(record, listener)
    }
  }

  #syn(listener: Listener, incoming: Incoming, segment: Segment, old: TimeWaitState | undefined): void {
    const { inputCounters, isn, limits, now, sent, table } = this.#tcp
    const { values } = inputCounters
    const { source, destination, family } = incoming
    const { settings } = listener.socket
    const agreed = this.#agreed
    values[EXT_SYNS_RECEIVED]++
    // A few handshakes go on while no connection may wait: room may be made by the time that they are complete.
    if (listener.backlog.isClosed) {
      values[DROP_TCP_LISTEN_ACCEPT_FULL]++
      listener.backlog.overflows++
      return
    }
    const ports = tcp.ports(incoming.memory.view, incoming.transport)
    const proposed = isn.next(destination, source, ports, now)
    agreed.localSequence = old === undefined ? proposed : sequenceAfter(old, proposed)
    agreed.timestampOffset = isn.timestampOffset(destination, source)
    agree(segment, settings, family, agreed)
    const pressed = !listener.backlog.isFull && (limits.cookies === 'always' || listener.backlog.isPressed)
    const record = pressed ? NO_RECORD : this.backlog.add(destination, source, ports, listener.id, agreed, now)
    if (record === NO_RECORD) {
      // A cookie cannot be told to be a number behind the old connection's.
      if (limits.cookies === 'off' || old !== undefined) {
        values[DROP_TCP_LISTEN_BACKLOG_FULL]++
        return
      }
      this.#sendCookie(listener, incoming, segment, ports)
      return
    }
    table.insert(destination, source, ports, entryOf(KIND_SYN, record))
    listener.backlog.embryonic++
    this.#answerWith(listener, incoming.interface, family)
    this.#tcpOutput.answer(incoming, sent)
  }

  #sendCookie(listener: Listener, incoming: Incoming, segment: Segment, ports: number): void {
    const { inputCounters, now, sent } = this.#tcp
    const agreed = this.#agreed
    const { destination, source } = incoming
    const cookie = this.#cookies.make(destination, source, ports, segment, agreed.mss, now)
    if (cookie === undefined) {
      inputCounters.values[DROP_TCP_LISTEN_BACKLOG_FULL]++
      return
    }
    agreed.localSequence = cookie
    if (!agreed.timestamps) {
      // There is nowhere to remember them.
      agreed.windowScale = -1
      agreed.sackPermitted = false
      agreed.ecn = false
    }
    this.#answerWith(listener, incoming.interface, incoming.family)
    if (agreed.timestamps) {
      const { windowScale, sackPermitted, ecn } = agreed
      sent.timestampValue = stampWithOptions(sent.timestampValue, windowScale, sackPermitted, ecn)
    }
    this.#lastCookie[0] = now[0]
    listener.backlog.cookiesSent++
    inputCounters.values[EXT_SYN_COOKIES_SENT]++
    this.#tcpOutput.answer(incoming, sent)
  }

  /** An ACK without a connection: of a cookie, perhaps. */
  #cookie(listener: Listener, incoming: Incoming, segment: Segment): boolean {
    const { now, isn, inputCounters } = this.#tcp
    if (now[0] - this.#lastCookie[0] > COOKIE_LIFE) return false
    const { source, destination } = incoming
    const ports = tcp.ports(incoming.memory.view, incoming.transport)
    const offset = isn.timestampOffset(destination, source)
    if (!this.#cookies.check(destination, source, ports, segment, offset, now, this.#agreed)) {
      inputCounters.values[EXT_SYN_COOKIES_FAILED]++
      return false
    }
    if (listener.backlog.isFull) {
      inputCounters.values[DROP_TCP_LISTEN_ACCEPT_FULL]++
      listener.backlog.overflows++
      return true
    }
    listener.backlog.cookiesAccepted++
    inputCounters.values[EXT_SYN_COOKIES_ACCEPTED]++
    this.#open(listener, incoming, segment)
    return true
  }

  /** The handshake in `#agreed` is complete: from now on it is a connection. */
  #open(listener: Listener, incoming: Incoming, segment: Segment): void {
    const tcpContext = this.#tcp
    const { settings, options } = listener.socket
    const ports = tcp.ports(incoming.memory.view, incoming.transport)
    const path = this.#output.pathTo(incoming.destination, incoming.source)
    const endpoint = path.failure === undefined ? tcpContext.open(settings, path, ports) : undefined
    if (endpoint === undefined) {
      tcpContext.inputCounters.values[DROP_TCP_LISTEN_NO_CONNECTION]++
      return
    }
    endpoint.listener = listener
    endpoint.hopLimit = options.ttl
    listener.backlog.queued()
    listener.waiting.push(endpoint)
    const agreed = this.#agreed
    agreed.localWindowScale = openingScale(agreed, settings)
    segment.frame = incoming.frame
    incoming.frame = -1
    endpoint.connection.openFromHandshake(agreed, segment, tcpContext.now)
    tcpContext.touch(endpoint)
  }

  #forget(record: number, listener: Listener): void {
    const { table } = this.#tcp
    this.backlog.addresses(record, this.#local, this.#remote)
    table.remove(this.#local, this.#remote, this.backlog.ports(record))
    this.backlog.remove(record)
    listener.backlog.embryonic--
  }

  #challenge(record: number, listener: Listener, incoming: Incoming): void {
    const { sent, now, counters } = this.#tcp
    const { backlog } = this
    if (!backlog.mayAnswer(record, CHALLENGE_INTERVAL, now)) {
      counters.values[EXT_CHALLENGE_ACKS_SKIPPED]++
      return
    }
    counters.values[EXT_CHALLENGE_ACKS]++
    const next = (backlog.localSequence(record) + 1) | 0
    acknowledgmentOf(next, (backlog.remoteSequence(record) + 1) | 0, openingWindow(listener.socket.settings), sent)
    if (backlog.hasTimestamps(record)) {
      backlog.handshake(record, this.#agreed)
      stamp(this.#agreed, now, sent)
    }
    this.#tcpOutput.answer(incoming, sent)
  }

  /** The SYN+ACK for what `#agreed` holds, in the segment that is being sent. */
  #answerWith({ socket }: Listener, { mtu }: NetInterface, family: 4 | 6): void {
    const { sent, now } = this.#tcp
    fillSynAck(this.#agreed, socket.settings, family, mtu, now, sent)
  }
}
