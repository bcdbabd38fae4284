import type { ErrorCode } from '@parakernel/hal'
import { formatIp, type SocketAddress } from '@parakernel/queue'
import { DROP_ICMP_ERROR_QUEUE_FULL, type StackCounters } from '../statistics/counters.ts'
import type { PacketError } from './packet-error.ts'

/** An ICMP error that came for a socket, as of Linux's `IP_RECVERR`. */
export interface ReceivedError {
  readonly family: 'ipv4' | 'ipv6'
  /** Type and code of the ICMP or ICMPv6 message. */
  readonly type: number
  readonly code: number
  /** What it means; undefined for what is a hint only. */
  readonly meaning: ErrorCode | undefined
  /** Who sent it: the destination, or a router on the way. */
  readonly offender: string
  /** Whom the packet in question was for. */
  readonly destination: SocketAddress
  /** What the path takes, where the packet was too long. */
  readonly mtu: number | undefined
}

/** Errors that wait for one socket to ask; the newest are kept out. */
const CAPACITY = 16

/** The errors that were believed, by socket, until they are asked for. */
export class ErrorLog {
  readonly #counters: StackCounters
  readonly #waiting = new WeakMap<object, ReceivedError[]>()

  constructor(counters: StackCounters) {
    this.#counters = counters
  }

  note(socket: object, error: PacketError): void {
    const waiting = this.#waiting.get(socket)
    if (waiting === undefined) this.#waiting.set(socket, [describe(error)])
    else if (waiting.length < CAPACITY) waiting.push(describe(error))
    else this.#counters.drop(DROP_ICMP_ERROR_QUEUE_FULL)
  }

  /** Those of a socket, the oldest first, each once. */
  take(socket: object): readonly ReceivedError[] {
    const waiting = this.#waiting.get(socket) ?? []
    this.#waiting.delete(socket)
    return waiting
  }
}

function describe(error: PacketError): ReceivedError {
  const { family, type, code, meaning, offender, destination, destinationPort, mtu } = error
  return {
    family: family === 4 ? 'ipv4' : 'ipv6',
    type,
    code,
    meaning,
    offender: formatIp(offender),
    destination: { address: formatIp(destination), port: destinationPort },
    mtu: mtu === 0 ? undefined : mtu,
  }
}
