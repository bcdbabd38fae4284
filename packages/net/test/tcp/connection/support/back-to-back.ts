import { createPlainWindow, FramePool } from '@parakernel/hal'
import { FrameChain } from '../../../../src/tcp/buffer/frame-chain.ts'
import { TcpMemory } from '../../../../src/tcp/buffer/memory-budget.ts'
import { Connection } from '../../../../src/tcp/connection/connection.ts'
import { tcpCounters } from '../../../../src/tcp/counters.ts'
import { ACK, instant, Segment, SYN } from '../../../../src/tcp/segment.ts'
import { tcpSettings } from '../../../../src/tcp/settings.ts'

/** Segments that one side sends before the other one answers: a burst. */
const BURST = 32

/**
 * Two connections that hand each other segments without a wire between: no copies of segments, no views, nothing
 * allocated. For benchmarks and for the test that the connections allocate nothing either.
 */
export class BackToBack {
  readonly now = instant(0.5)
  readonly pool = new FramePool(createPlainWindow(4096, { frameSize: 2048, headroom: 128 }))
  readonly a: Connection
  readonly b: Connection
  segments = 0
  bytes = 0
  readonly #out = new Segment()
  readonly #slices = new FrameChain(8)
  readonly #taken = new FrameChain(64)

  readonly memory = new TcpMemory(this.pool, 4096)
  readonly #settings = tcpSettings({ nagle: 'off' })
  readonly #path = { family: 4 as const, mtu: 1500, superPacket: 0, ipHeader: 20, interfaceMtu: 1500 }
  readonly #counters = tcpCounters()

  constructor() {
    this.a = this.#side()
    this.b = this.#side()
    this.a.openActive(-100_000, 1000, this.now)
    this.a.dispatch(this.now, this.#out)
    this.b.openPassive(this.#out, 0x7fff_0000, 2000, this.now)
    for (let i = 0; i < 4; i++) this.round(0)
  }

  /** One more side of a connection, established and idle. */
  another(): Connection {
    const connection = this.#side()
    connection.openActive(0, 0, this.now)
    connection.dispatch(this.now, this.#out)
    const answer = this.#out
    answer.clear()
    answer.flags = SYN | ACK
    answer.acknowledgment = 1
    answer.window = 0xffff
    answer.mss = 1460
    answer.windowScale = 7
    answer.sackPermitted = true
    answer.hasTimestamp = true
    connection.process(answer, this.now)
    while (connection.dispatch(this.now, answer)) this.segments++
    return connection
  }

  #side(): Connection {
    return new Connection(this.#settings, this.pool, this.memory, this.#path, this.#counters)
  }

  /** `a` writes so many full frames, then both answer each other until nothing is left to say. */
  round(frames: number): void {
    this.now[0] += 50_000
    for (let i = 0; i < frames && this.a.canWrite >= 1448; i++) this.#write(this.a, 1448)
    this.#settle()
  }

  /** A question of a few bytes, and the answer to it. */
  ask(length: number): void {
    this.now[0] += 20_000
    this.#write(this.a, length)
    while (this.#pass(this.a, this.b)) this.#read(this.b)
    this.#write(this.b, length)
    this.#settle()
  }

  #settle(): void {
    for (let i = 0; i < 16; i++) {
      const there = this.#pass(this.a, this.b)
      this.#read(this.b)
      const back = this.#pass(this.b, this.a)
      this.#read(this.a)
      if (!there && !back) return
    }
  }

  #write(from: Connection, length: number): void {
    const frame = this.pool.allocate()
    if (!from.write(frame, this.pool.address(frame) + 128, length)) this.pool.release(frame)
  }

  #read(at: Connection): void {
    const { pool } = this
    const chain = this.#taken
    while (at.readable > 0) {
      chain.clear()
      this.bytes += at.read(1 << 20, chain, this.now)
      for (let i = 0; i < chain.count; i++) pool.release(chain.frame[i])
    }
  }

  #pass(from: Connection, to: Connection): boolean {
    const { pool } = this
    const out = this.#out
    const slices = this.#slices
    let passed = false
    for (let i = 0; i < BURST && from.dispatch(this.now, out); i++) {
      passed = true
      this.segments++
      if (out.length > 0) {
        slices.clear()
        from.sendQueue.seek(out.sequence, out.length, slices)
        if (slices.count === 1) {
          out.frame = slices.frame[0]
          out.address = slices.address[0]
          pool.retain(out.frame)
        } else {
          out.frame = pool.allocate()
          out.address = pool.address(out.frame) + 128
          from.sendQueue.copyOut(out.sequence, out.length, pool.bytes, out.address)
        }
      }
      to.process(out, this.now)
      if (out.frame >= 0) pool.release(out.frame)
    }
    return passed
  }
}
