import { createSocket, type Socket } from 'node:dgram'
import { parseIpv4 } from '@parakernel/queue'
import { DEFAULT_PAYLOAD_BYTES } from '../protocol/native/layout.ts'
import type { ClientTransport, DatagramReceiver } from './transport.ts'

export interface DgramTransportOptions {
  /** IPv4 address of the server. */
  readonly address: string
  /** Port of partition 0; partition i is at `port + i`. */
  readonly port: number
  readonly maxPayload?: number
}

/** A client's way over a UDP socket of the host's kernel. */
export class DgramTransport implements ClientTransport {
  readonly maxPayload: number
  readonly #address: string
  readonly #port: number
  readonly #socket: Socket
  /** Received datagrams are copied here, so that one view serves all of them. */
  readonly #received = new Uint8Array(65_536)
  readonly #view = new DataView(this.#received.buffer)
  sendDrops = 0

  /** @throws EINVAL for what is no IPv4 address */
  constructor(options: DgramTransportOptions) {
    // Names are not looked up: one that is no address would only ever time out.
    parseIpv4(options.address)
    this.maxPayload = options.maxPayload ?? DEFAULT_PAYLOAD_BYTES
    this.#address = options.address
    this.#port = options.port
    this.#socket = createSocket({
      type: 'udp4',
      recvBufferSize: 4 << 20,
      sendBufferSize: 4 << 20,
      // The address is numeric: no resolver, no extra turn of the loop.
      lookup: (host, _options, done) => done(null, host, 4),
    })
    // A port unreachable from an earlier send ends up here; the request's time-out handles it.
    this.#socket.on('error', () => {
      this.sendDrops++
    })
  }

  now(): number {
    return performance.now() * 1e6
  }

  start(receive: DatagramReceiver): void {
    this.#socket.on('message', (message) => {
      this.#received.set(message)
      receive(this.#view, this.#received, 0, message.length)
    })
    this.#socket.bind()
  }

  readonly #sent = (error: Error | null) => {
    if (error !== null) this.sendDrops++
  }

  send(bytes: Uint8Array, at: number, length: number, partition: number): void {
    this.#socket.send(bytes, at, length, this.#port + partition, this.#address, this.#sent)
  }

  flush(): void {}

  every(milliseconds: number, task: () => void): () => void {
    const timer = setInterval(task, milliseconds)
    timer.unref()
    return () => clearInterval(timer)
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()))
  }
}
