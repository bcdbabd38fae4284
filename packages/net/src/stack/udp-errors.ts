import type { ErrorCode } from '@parakernel/hal'
import type { UdpSocket } from '../udp/socket.ts'
import type { ErrorLog } from './error-log.ts'
import type { PacketError } from './packet-error.ts'
import { nextOf } from './socket-table.ts'

/**
 * ICMP errors about datagrams. One is believed if it quotes a port that is open, and, of a connected socket, its peer: a datagram has
 * no sequence number that would prove more (RFC 5927 section 4).
 */
export class UdpErrors {
  readonly #log: ErrorLog
  readonly #socketAt: (family: 4 | 6, port: number) => UdpSocket | undefined
  readonly #failed: (socket: UdpSocket, code: ErrorCode) => void

  /** @param failed tells a connected socket; an unconnected one could not tell whom it is about (RFC 1122 section 4.1.3.3) */
  constructor(
    log: ErrorLog,
    socketAt: (family: 4 | 6, port: number) => UdpSocket | undefined,
    failed: (socket: UdpSocket, code: ErrorCode) => void,
  ) {
    this.#log = log
    this.#socketAt = socketAt
    this.#failed = failed
  }

  report(error: PacketError): boolean {
    const { family, source, destination, sourcePort, destinationPort, meaning } = error
    let socket = this.#socketAt(family, sourcePort)
    while (socket !== undefined && !socket.hears(family, source, false)) socket = nextOf(socket, family)
    if (socket === undefined || !socket.accepts(destination, destinationPort)) return false
    this.#log.note(socket, error)
    if (meaning !== undefined && socket.isConnected) this.#failed(socket, meaning)
    return true
  }
}
