import { DatagramBurst, type NetworkLibOS, NO_REPLY, parseIpv4, type QueueDescriptor } from '@parakernel/queue'
import { ReplyFrames } from '../server/reply-frames.ts'
import type { ClientTransport, DatagramReceiver } from './transport.ts'

const BURST = 64

export interface LibOSTransportOptions {
  /** IPv4 address of the server. */
  readonly address: string
  /** Port of partition 0; partition i is at `port + i`. */
  readonly port: number
  readonly maxPayload?: number
}

/** A client's way over any network libOS: requests are copied into frames, responses are read in place. */
export class LibOSTransport implements ClientTransport {
  readonly maxPayload: number
  readonly #libos: NetworkLibOS
  readonly #qd: QueueDescriptor
  readonly #frames: ReplyFrames
  readonly #address: number
  readonly #port: number
  readonly #burst = new DatagramBurst(BURST)
  sendDrops = 0

  /** Opens a socket with an ephemeral port. @throws as `NetworkLibOS.socket` and `bind` */
  constructor(libos: NetworkLibOS, options: LibOSTransportOptions) {
    this.#libos = libos
    this.#frames = new ReplyFrames(libos.pool, options.maxPayload)
    this.maxPayload = this.#frames.room
    this.#address = parseIpv4(options.address)
    this.#port = options.port
    this.#qd = libos.socket('datagram')
    libos.bind(this.#qd, { address: '0.0.0.0', port: 0 })
  }

  now(): number {
    return this.#libos.loop.clock.now()
  }

  start(receive: DatagramReceiver): void {
    const { view, bytes } = this.#libos.pool
    this.#libos.serveDatagrams(this.#qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        burst.reply[i] = NO_REPLY
        receive(view, bytes, burst.address[i], burst.length[i])
      }
    })
  }

  send(bytes: Uint8Array, at: number, length: number, partition: number): void {
    const burst = this.#burst
    if (burst.count === BURST) this.flush()
    const frame = this.#libos.pool.allocate()
    if (frame < 0) {
      this.sendDrops++
      return
    }
    const address = this.#frames.address(frame)
    this.#libos.pool.bytes.set(bytes.subarray(at, at + length), address)
    const i = burst.count++
    burst.frame[i] = frame
    burst.address[i] = address
    burst.length[i] = length
    burst.peerAddress[i] = this.#address
    burst.peerPort[i] = this.#port + partition
  }

  flush(): void {
    const burst = this.#burst
    if (burst.count === 0) return
    const sent = this.#libos.sendDatagrams(this.#qd, burst)
    for (let i = sent; i < burst.count; i++) this.#libos.pool.release(burst.frame[i])
    this.sendDrops += burst.count - sent
    burst.count = 0
  }

  every(milliseconds: number, task: () => void): () => void {
    const { timers } = this.#libos.loop
    const id = timers.every(milliseconds * 1e6, task)
    return () => timers.cancel(id)
  }

  async close(): Promise<void> {
    this.#libos.serveDatagrams(this.#qd, undefined)
    this.#libos.close(this.#qd)
  }
}
