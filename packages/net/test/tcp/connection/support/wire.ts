import { createPlainWindow, DebugFramePool, type FramePool } from '@parakernel/hal'
import { seededRandom } from '../../../../src/random.ts'
import { FrameChain } from '../../../../src/tcp/buffer/frame-chain.ts'
import { TcpMemory } from '../../../../src/tcp/buffer/memory-budget.ts'
import { Connection } from '../../../../src/tcp/connection/connection.ts'
import type { PathLimits } from '../../../../src/tcp/connection/path-limits.ts'
import { tcpCounters } from '../../../../src/tcp/counters.ts'
import { resetFor } from '../../../../src/tcp/passive/replies.ts'
import { ACK, CE, CWR, ECT_0, FIN, instant, PSH, Segment, SYN, URG } from '../../../../src/tcp/segment.ts'
import { type TcpSettings, tcpSettings } from '../../../../src/tcp/settings.ts'
import { CLOSED, STATE_NAMES, TIME_WAIT } from '../../../../src/tcp/state.ts'
import { Rules } from './rules.ts'

export interface WireOptions {
  readonly seed: number
  /** Probabilities, each direction alike. */
  readonly loss?: number
  readonly duplicate?: number
  readonly reorder?: number
  /** Of packets that may carry one, a congestion mark. */
  readonly mark?: number
  /** One way, ms; what is reordered comes up to three times as late. */
  readonly delay?: number
  /** Neighbours that arrive together are put together, as GRO does. */
  readonly merge?: boolean
  /** Packets above this length vanish, without a word; 0: none do. */
  readonly blackHole?: number
  /** With a word: ICMP tells their sender. */
  readonly icmp?: boolean
  /** Every segment arrives with URG, which means nothing to us and keeps it from header prediction. */
  readonly urgent?: boolean
  /** Of segments, after which a receiver is short of memory and gives back what lies beyond a gap. */
  readonly renege?: number
}

/** What one side does: writes `send` bytes, reads everything, and closes when both are done. */
export interface SideOptions {
  readonly settings?: Partial<TcpSettings>
  readonly path?: Partial<PathLimits>
  readonly send?: number
  /** Most bytes written at a time. */
  readonly chunk?: number
  /** Does not read before this time, ms. */
  readonly readFrom?: number
  /** Does not write before this time, ms. */
  readonly writeFrom?: number
}

const FRAMES = 4096

/** A byte of the stream of a side, told from its place. */
export function byteAt(position: number, salt: number): number {
  return (Math.imul(position ^ salt, 0x9e3779b1) >>> 24) & 0xff
}

export class Side {
  readonly pool: FramePool = new DebugFramePool(createPlainWindow(FRAMES, { frameSize: 2048, headroom: 128 }))
  readonly memory = new TcpMemory(this.pool, FRAMES)
  readonly counters = tcpCounters()
  readonly connection: Connection
  readonly options: SideOptions
  readonly salt: number
  written = 0
  received = 0
  corrupt = false
  sent = 0
  readonly #chain = new FrameChain(64)

  constructor(options: SideOptions, salt: number) {
    this.options = options
    this.salt = salt
    const path: PathLimits = { family: 4, mtu: 1500, superPacket: 0, ipHeader: 20, interfaceMtu: 1500, ...options.path }
    this.connection = new Connection(tcpSettings(options.settings), this.pool, this.memory, path, this.counters)
  }

  get state(): string {
    return STATE_NAMES[this.connection.state]
  }

  /** Reads and writes what can be. */
  run(now: Float64Array, peerSalt: number): void {
    const { connection, pool, options } = this
    if (now[0] >= (options.readFrom ?? 0) * 1e6) this.#read(now, peerSalt)
    const total = options.send ?? 0
    if (now[0] < (options.writeFrom ?? 0) * 1e6) return
    while (this.written < total) {
      const length = Math.min(options.chunk ?? 1400, total - this.written, connection.canWrite)
      if (length === 0) return
      const frame = pool.allocate()
      if (frame < 0) return
      const address = pool.address(frame) + pool.headroom
      for (let i = 0; i < length; i++) pool.bytes[address + i] = byteAt(this.written + i, this.salt)
      if (!connection.write(frame, address, length)) {
        pool.release(frame)
        return
      }
      this.written += length
    }
    connection.shutdownWrite()
  }

  #read(now: Float64Array, peerSalt: number): void {
    const { pool } = this
    const chain = this.#chain
    for (;;) {
      chain.clear()
      if (this.connection.read(1 << 20, chain, now) === 0) return
      for (let row = 0; row < chain.count; row++) {
        for (let i = 0; i < chain.length[row]; i++) {
          if (pool.bytes[chain.address[row] + i] !== byteAt(this.received++, peerSalt)) this.corrupt = true
        }
        pool.release(chain.frame[row])
      }
    }
  }
}

interface Flying {
  readonly at: number
  readonly order: number
  readonly to: Side
  readonly segment: Segment
  readonly payload: Uint8Array
}

/** Two connections and what lies between them, in virtual time, repeatable from a seed. */
export class Wire {
  readonly now = instant(0)
  readonly a: Side
  readonly b: Side
  segments = 0
  /** Sees each segment that is sent, before the wire does with it what it will; false: lost. */
  watch: ((from: Side, segment: Segment, now: number) => boolean | undefined) | undefined = undefined
  readonly rules = new Rules(1500)
  readonly #options: WireOptions
  readonly #random: { next(): number }
  #flying: Flying[] = []
  #order = 0
  readonly #out = new Segment()

  constructor(options: WireOptions, a: SideOptions = {}, b: SideOptions = {}) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.a = new Side(a, 1)
    this.b = new Side(b, 2)
  }

  /** `b` listens, `a` opens. Sequence numbers begin shortly before they wrap. */
  open(): void {
    this.a.connection.openActive(-20_000, 123_456, this.now)
  }

  openBoth(): void {
    this.a.connection.openActive(-20_000, 123_456, this.now)
    this.b.connection.openActive(0x7fff_f000, -5, this.now)
  }

  /** Runs until nothing will happen any more, `done` says so, or the time is over (ms). */
  run(limit: number, done: () => boolean = () => false): void {
    const end = limit * 1e6
    for (let rounds = 0; rounds < 5_000_000; rounds++) {
      this.#turn(this.a, this.b)
      this.#turn(this.b, this.a)
      if (done()) return
      const next = this.#next()
      if (next > end) {
        this.now[0] = Math.max(this.now[0], Math.min(end, next))
        return
      }
      this.now[0] = Math.max(this.now[0], next)
      this.#deliver()
    }
    throw new Error('the connections never come to rest')
  }

  /** Both ends are over and nothing is left on either side. */
  get isOver(): boolean {
    const over = (side: Side) => side.connection.state === CLOSED || side.connection.state === TIME_WAIT
    return over(this.a) && over(this.b)
  }

  #chance(probability = 0): boolean {
    return probability > 0 && this.#random.next() / 2 ** 32 < probability
  }

  #turn(from: Side, to: Side): void {
    from.run(this.now, to.salt)
    for (let i = 0; i < 100_000; i++) {
      if (!from.connection.dispatch(this.now, this.#out)) {
        from.run(this.now, to.salt)
        if (!from.connection.dispatch(this.now, this.#out)) return
      }
      this.#send(from, to, this.#out)
    }
    throw new Error('a connection never stops sending')
  }

  /** As the last layer below would: a super-segment leaves in pieces. */
  #send(from: Side, to: Side, out: Segment): void {
    this.rules.sent(from, to, out)
    const { segmentSize, length, flags, sequence } = out
    if (segmentSize === 0 || length <= segmentSize) {
      this.#packet(from, to, out)
      return
    }
    for (let at = 0; at < length; at += segmentSize) {
      const last = at + segmentSize >= length
      out.sequence = (sequence + at) | 0
      out.length = last ? length - at : segmentSize
      out.segmentSize = 0
      out.flags = flags & ~(last ? 0 : FIN | PSH) & ~(at === 0 ? 0 : CWR)
      this.#packet(from, to, out)
    }
  }

  #packet(from: Side, to: Side, out: Segment): void {
    const { loss, duplicate, reorder, mark, delay = 10, blackHole = 0 } = this.#options
    from.sent++
    this.segments++
    if (this.watch?.(from, out, this.now[0]) === false) return
    if (this.#chance(loss)) return
    if (blackHole > 0 && lengthOf(out) > blackHole) {
      if (this.#options.icmp) from.connection.packetTooBig(blackHole, out.sequence, this.now)
      return
    }
    const payload = new Uint8Array(out.length)
    if (out.length > 0) from.connection.sendQueue.copyOut(out.sequence, out.length, payload, 0)
    const copies = this.#chance(duplicate) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const late = this.#chance(reorder) ? 1 + (2 * this.#random.next()) / 2 ** 32 : 1
      const segment = copyOf(out)
      if (out.ecn === ECT_0 && this.#chance(mark)) segment.ecn = CE
      if (this.#options.urgent) segment.flags |= URG
      this.#flying.push({ at: this.now[0] + delay * late * 1e6, order: this.#order++, to, segment, payload })
    }
  }

  #deliver(): void {
    const due = this.#flying.filter(({ at }) => at <= this.now[0]).sort((x, y) => x.at - y.at || x.order - y.order)
    this.#flying = this.#flying.filter(({ at }) => at > this.now[0])
    for (const { to, segment, payload } of this.#options.merge ? merged(due) : due) this.#arrive(to, segment, payload)
  }

  #arrive(to: Side, segment: Segment, payload: Uint8Array): void {
    const { pool, connection } = to
    if (payload.length > 0) {
      const frame = pool.allocateForDevice()
      if (frame < 0) return
      segment.frame = frame
      segment.address = pool.address(frame) + pool.headroom
      pool.bytes.set(payload, segment.address)
    }
    if (connection.state === CLOSED && connection.events === 0 && (segment.flags & (SYN | ACK)) === SYN) {
      connection.openPassive(segment, 0x7fff_f000, -5, this.now)
    } else if (connection.state === CLOSED) {
      // What the stack answers when it knows no such connection.
      const reset = new Segment()
      if (resetFor(segment, reset)) this.#packet(to, to === this.a ? this.b : this.a, reset)
    } else {
      connection.process(segment, this.now)
    }
    if (segment.frame >= 0) pool.release(segment.frame)
    if (this.#chance(this.#options.renege)) connection.relieve()
  }

  #next(): number {
    let next = Math.min(this.a.connection.pollAt, this.b.connection.pollAt)
    for (const { at } of this.#flying) if (at < next) next = at
    for (const { options } of [this.a, this.b]) {
      for (const wake of [(options.readFrom ?? 0) * 1e6, (options.writeFrom ?? 0) * 1e6]) {
        if (wake > this.now[0] && wake < next) next = wake
      }
    }
    return next
  }
}

/** Of the IPv4 packet. */
function lengthOf(out: Segment): number {
  return 40 + (out.hasTimestamp ? 12 : 0) + (out.sackCount > 0 ? 4 + 8 * out.sackCount : 0) + out.length
}

function copyOf(out: Segment): Segment {
  const copy = new Segment()
  const { sackLeft, sackRight } = copy
  Object.assign(copy, out, { sackLeft, sackRight })
  sackLeft.set(out.sackLeft)
  sackRight.set(out.sackRight)
  return copy
}

/** Longest super-segment that a frame of a side takes. */
const MERGED = 1900

function merged(due: readonly Flying[]): Flying[] {
  const out: Flying[] = []
  for (const next of due) {
    const before = out.at(-1)
    if (before === undefined || !joins(before, next)) {
      out.push(next)
      continue
    }
    const segment = copyOf(before.segment)
    segment.length += next.segment.length
    segment.segmentSize = before.segment.segmentSize || before.segment.length
    segment.flags |= next.segment.flags
    const payload = new Uint8Array(segment.length)
    payload.set(before.payload)
    payload.set(next.payload, before.payload.length)
    out[out.length - 1] = { ...before, segment, payload }
  }
  return out
}

function joins(a: Flying, b: Flying): boolean {
  const [s, t] = [a.segment, b.segment]
  return (
    a.to === b.to &&
    ((s.flags | t.flags) & ~PSH) === ACK &&
    s.length > 0 &&
    t.length > 0 &&
    s.length + t.length <= MERGED &&
    t.length <= (s.segmentSize || s.length) &&
    t.sequence === ((s.sequence + s.length) | 0) &&
    t.acknowledgment === s.acknowledgment &&
    t.window === s.window &&
    t.ecn === s.ecn &&
    t.timestampValue === s.timestampValue &&
    s.sackCount + t.sackCount === 0
  )
}
