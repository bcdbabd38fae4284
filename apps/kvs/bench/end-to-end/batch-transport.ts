import { UdpBatchSocket } from '@parakernel/linux'
import type { ClientTransport, DatagramReceiver } from '../../src/client/transport.ts'
import { DEFAULT_PAYLOAD_BYTES } from '../../src/protocol/native/layout.ts'

/** A client's way over a kernel UDP socket, with one system call for a batch of datagrams. Its owner calls `poll`. */
export class BatchTransport implements ClientTransport {
  readonly maxPayload = DEFAULT_PAYLOAD_BYTES
  readonly #socket: UdpBatchSocket
  readonly #view: DataView
  #receive: DatagramReceiver = () => {}

  constructor(address: string, port: number, partitions: number) {
    const destinations = Array.from({ length: partitions }, (_, partition) => ({ address, port: port + partition }))
    this.#socket = new UdpBatchSocket('0.0.0.0', destinations)
    this.#view = new DataView(this.#socket.received.buffer)
  }

  get sendDrops(): number {
    return this.#socket.sendDrops
  }

  now(): number {
    return performance.now() * 1e6
  }

  start(receive: DatagramReceiver): void {
    this.#receive = receive
  }

  /** Hands over what has arrived, up to a batch. */
  poll(): void {
    const socket = this.#socket
    const count = socket.receive()
    for (let i = 0; i < count; i++) {
      this.#receive(this.#view, socket.received, i * socket.slotBytes, socket.length(i))
    }
  }

  send(bytes: Uint8Array, at: number, length: number, partition: number): void {
    this.#socket.queue(bytes, at, length, partition)
  }

  flush(): void {
    this.#socket.flush()
  }

  every(milliseconds: number, task: () => void): () => void {
    const timer = setInterval(task, milliseconds)
    timer.unref()
    return () => clearInterval(timer)
  }

  close(): Promise<void> {
    this.#socket.close()
    return Promise.resolve()
  }
}
