import { ABSENT } from '../tcp/connection-table.ts'
import { EXT_PATH_ERRORS } from '../tcp/input-counters.ts'
import type { ErrorLog } from './error-log.ts'
import type { PacketError } from './packet-error.ts'
import { indexOf, KIND_CONNECTION, kindOf, type TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'

/**
 * ICMP errors of both families about segments of ours: to the connection, which believes only what quotes a segment that is in
 * flight (RFC 5927 section 4).
 */
export class TcpErrors {
  readonly #tcp: TcpContext
  readonly #log: ErrorLog

  constructor(context: TcpContext, log: ErrorLog) {
    this.#tcp = context
    this.#log = log
  }

  /** Whether it was believed. */
  report(error: PacketError): boolean {
    const { table, endpoints, now, inputCounters } = this.#tcp
    const { source, destination, sourcePort, destinationPort, sequence, meaning, mtu } = error
    const value = table.find(source, destination, (destinationPort << 16) | sourcePort)
    if (value === ABSENT || kindOf(value) !== KIND_CONNECTION) return false
    const endpoint = endpoints.slots[indexOf(value)] as TcpEndpoint
    const { connection } = endpoint
    const believed =
      mtu > 0
        ? connection.packetTooBig(mtu, sequence, now)
        : meaning !== undefined && connection.unreachable(meaning === 'ECONNREFUSED', meaning, sequence)
    if (believed) {
      inputCounters.values[EXT_PATH_ERRORS]++
      if (endpoint.socket !== undefined) this.#log.note(endpoint.socket, error)
    }
    this.#tcp.touch(endpoint)
    return believed
  }
}
