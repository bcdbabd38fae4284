import type { RemoteInfo } from 'node:dgram'
import {
  DatagramBurst,
  type DatagramHandler,
  formatIpv4,
  KEEP_FRAME,
  NO_REPLY,
  parseIpv4,
  type SocketAddress,
} from '@parakernel/queue'
import type { SocketContext } from '../context.ts'
import { IN_DATAGRAMS, IN_ERRORS, POOL_LOW, TOO_LONG_TO_SERVE } from '../statistics.ts'

const CAPACITY = 32

/**
 * The fast face over a socket of Node's: datagrams that Node reads in one turn are gathered in frames, and handed to the
 * handler as one burst when the turn is over or the burst is full.
 */
export class ServedDatagrams {
  readonly #context: SocketContext
  readonly #localPort: number
  readonly #handler: DatagramHandler
  readonly #send: (bytes: Uint8Array, to: SocketAddress) => void
  readonly #burst = new DatagramBurst(CAPACITY)
  readonly #flush = () => {
    this.#scheduled = false
    this.#run()
  }
  #scheduled = false

  constructor(
    context: SocketContext,
    localPort: number,
    handler: DatagramHandler,
    send: (bytes: Uint8Array, to: SocketAddress) => void,
  ) {
    this.#context = context
    this.#localPort = localPort
    this.#handler = handler
    this.#send = send
  }

  add(bytes: Uint8Array, from: RemoteInfo): void {
    const { pool, counters } = this.#context
    const room = pool.frameSize - pool.headroom - pool.window.tailroom
    const frame = bytes.byteLength > room ? -1 : pool.allocate()
    if (frame < 0) {
      counters.values[bytes.byteLength > room ? TOO_LONG_TO_SERVE : POOL_LOW]++
      counters.values[IN_ERRORS]++
      return
    }
    const address = pool.address(frame) + pool.headroom
    pool.bytes.set(bytes, address)
    counters.values[IN_DATAGRAMS]++
    const burst = this.#burst
    const row = burst.count++
    burst.frame[row] = frame
    burst.address[row] = address
    burst.length[row] = bytes.byteLength
    burst.peerAddress[row] = parseIpv4(from.address)
    burst.peerPort[row] = from.port
    burst.localPort[row] = this.#localPort
    burst.room[row] = room
    burst.reply[row] = NO_REPLY
    burst.replyFrame[row] = -1
    burst.replyAddress[row] = 0
    if (burst.count === CAPACITY) this.#run()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#flush)
    }
  }

  /** Hands over what is there, and no more after it. */
  end(): void {
    this.#run()
  }

  #run(): void {
    const burst = this.#burst
    if (burst.count === 0) return
    this.#handler(burst, this.#context.runtime.loop.clock.now())
    for (let row = 0; row < burst.count; row++) this.#answer(row)
    burst.count = 0
  }

  #answer(row: number): void {
    const { pool } = this.#context
    const { frame, address, reply, replyFrame, replyAddress, peerAddress, peerPort } = this.#burst
    const length = reply[row]
    if (length === KEEP_FRAME) return
    if (length >= 0) {
      const start = replyFrame[row] < 0 ? address[row] : replyAddress[row]
      this.#send(pool.bytes.slice(start, start + length), {
        address: formatIpv4(peerAddress[row]),
        port: peerPort[row],
      })
      if (replyFrame[row] >= 0) pool.release(replyFrame[row])
    }
    pool.release(frame[row])
  }
}
