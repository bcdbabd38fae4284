import { createPlainWindow, DebugFramePool, type FramePool } from '@parakernel/hal'
import { FrameChain } from '../../../../src/tcp/buffer/frame-chain.ts'
import { TcpMemory } from '../../../../src/tcp/buffer/memory-budget.ts'
import { Connection } from '../../../../src/tcp/connection/connection.ts'
import type { PathLimits } from '../../../../src/tcp/connection/path-limits.ts'
import { type TcpCounterName, type TcpCounters, tcpCounters } from '../../../../src/tcp/counters.ts'
import { ACK, CWR, ECE, FIN, instant, PSH, RST, Segment, SYN, URG } from '../../../../src/tcp/segment.ts'
import { type TcpSettings, tcpSettings } from '../../../../src/tcp/settings.ts'
import { STATE_NAMES } from '../../../../src/tcp/state.ts'

/** Our initial sequence number, and the peer's. */
export const ISS = 1000
export const IRS = 5000
export const MSS = 1460

/** Settings under which a test sees only what it is about; each test adds its own. */
export const PLAIN: Partial<TcpSettings> = {
  timestamps: false,
  windowScaling: false,
  sack: false,
  ecn: 'off',
  quickAcks: 0,
  tailLossProbe: false,
  receiveBufferMinimum: 1000,
  receiveBufferInitial: 60_000,
  receiveBufferMaximum: 60_000,
  sendBufferMinimum: 1000,
}

export interface BenchOptions {
  readonly settings?: Partial<TcpSettings>
  readonly path?: Partial<PathLimits>
  readonly frames?: number
}

/** A segment of a test: `ACK` is set unless said otherwise; the payload is text or a number of bytes. */
export interface Fields {
  readonly flags?: string
  readonly seq?: number
  readonly ack?: number
  readonly win?: number
  readonly data?: string | number
  readonly mss?: number
  readonly windowScale?: number
  readonly sackPermitted?: boolean
  readonly timestamp?: readonly [value: number, echo: number]
  readonly sack?: readonly (readonly [left: number, right: number])[]
  readonly userTimeout?: number
  readonly ecn?: number
  readonly segmentSize?: number
}

const FLAGS: Record<string, number> = { F: FIN, S: SYN, R: RST, P: PSH, '.': ACK, U: URG, E: ECE, W: CWR }

/** What was sent: a copy of the segment with its payload as text. */
export interface Sent {
  /** As tcpdump has it: `S. 1000+0 ack 5001`. */
  readonly line: string
  readonly segment: Segment
  readonly data: string
}

/**
 * One connection on a bench: the test is its peer, its wire and its clock. Each call lets time pass to where the test
 * says, runs what is due, and returns the segments that went out.
 */
export class Bench {
  readonly now = instant(0)
  readonly pool: FramePool
  readonly memory: TcpMemory
  readonly counters: TcpCounters = tcpCounters()
  readonly settings: TcpSettings
  readonly path: PathLimits
  readonly connection: Connection
  readonly #in = new Segment()

  constructor(options: BenchOptions = {}) {
    const frames = options.frames ?? 256
    this.pool = new DebugFramePool(createPlainWindow(frames, { frameSize: 2048, headroom: 128 }))
    this.memory = new TcpMemory(this.pool, frames)
    this.settings = tcpSettings({ ...PLAIN, ...options.settings })
    this.path = { family: 4, mtu: 1500, superPacket: 0, ipHeader: 20, interfaceMtu: 1500, ...options.path }
    this.connection = new Connection(this.settings, this.pool, this.memory, this.path, this.counters)
  }

  get state(): string {
    return STATE_NAMES[this.connection.state]
  }

  get milliseconds(): number {
    return this.now[0] / 1e6
  }

  counter(name: TcpCounterName): number {
    return this.counters.get(name)
  }

  /** Everything that the connection wants to send now. */
  drain(limit = 1000): Sent[] {
    const sent: Sent[] = []
    for (let i = 0; i < limit; i++) {
      const out = new Segment()
      if (!this.connection.dispatch(this.now, out)) return sent
      sent.push(this.#copy(out))
    }
    throw new Error('the connection never stops sending')
  }

  /** As `drain`, but only the lines. */
  lines(): string[] {
    return this.drain().map(({ line }) => line)
  }

  /** Time passes; all that is due on the way is sent, each when it is due. */
  until(milliseconds: number): Sent[] {
    const sent: Sent[] = []
    const end = milliseconds * 1e6
    for (let i = 0; i < 10_000; i++) {
      const { pollAt } = this.connection
      if (pollAt > end) {
        this.now[0] = end
        return sent
      }
      if (pollAt > this.now[0]) this.now[0] = pollAt
      sent.push(...this.drain())
    }
    throw new Error('the connection never comes to rest')
  }

  /** Time passes to the next deadline; what is sent then. */
  next(): Sent[] {
    this.now[0] = Math.max(this.now[0], this.connection.pollAt)
    return this.drain()
  }

  /** The peer's segment arrives; nothing is sent yet. */
  put(fields: Fields): void {
    const { pool } = this
    const segment = this.#in
    segment.clear()
    segment.flags = [...(fields.flags ?? '.')].reduce((sum, flag) => sum | FLAGS[flag], 0)
    segment.sequence = (fields.seq ?? this.connection.receiveNext) | 0
    segment.acknowledgment = (fields.ack ?? this.connection.sendNext) | 0
    segment.window = fields.win ?? 0xffff
    segment.mss = fields.mss ?? 0
    segment.windowScale = fields.windowScale ?? -1
    segment.sackPermitted = fields.sackPermitted ?? false
    segment.userTimeout = fields.userTimeout ?? -1
    segment.ecn = fields.ecn ?? 0
    segment.segmentSize = fields.segmentSize ?? 0
    if (fields.timestamp !== undefined) {
      segment.hasTimestamp = true
      segment.timestampValue = fields.timestamp[0]
      segment.timestampEcho = fields.timestamp[1]
    }
    for (const [left, right] of fields.sack ?? []) {
      segment.sackLeft[segment.sackCount] = left
      segment.sackRight[segment.sackCount++] = right
    }
    const { data = '' } = fields
    const text = typeof data === 'string' ? data : pattern(data)
    if (text.length > 0) {
      segment.frame = pool.allocate()
      segment.address = pool.address(segment.frame) + pool.headroom
      segment.length = text.length
      pool.bytes.set(new TextEncoder().encode(text), segment.address)
    }
    this.connection.process(segment, this.now)
    if (segment.frame >= 0) pool.release(segment.frame)
  }

  /** The peer's segment arrives: what is sent in answer, as lines. */
  receive(fields: Fields): string[] {
    this.put(fields)
    return this.lines()
  }

  /** The application writes: text, or a number of bytes. */
  write(data: string | number): string[] {
    const { pool } = this
    const text = typeof data === 'string' ? data : pattern(data)
    for (let from = 0; from < text.length; from += 1460) {
      const piece = text.slice(from, from + 1460)
      const frame = pool.allocate()
      const address = pool.address(frame) + pool.headroom
      pool.bytes.set(new TextEncoder().encode(piece), address)
      if (!this.connection.write(frame, address, piece.length)) {
        pool.release(frame)
        throw new Error('the connection takes no more bytes')
      }
    }
    return this.lines()
  }

  /** The application reads. */
  read(limit = 1e9): string {
    const chain = new FrameChain(64)
    let text = ''
    for (;;) {
      chain.clear()
      if (this.connection.read(limit - text.length, chain, this.now) === 0) return text
      for (let i = 0; i < chain.count; i++) {
        text += this.#text(chain.address[i], chain.length[i])
        this.pool.release(chain.frame[i])
      }
    }
  }

  close(): string[] {
    this.connection.close(this.now)
    return this.lines()
  }

  shutdownWrite(): string[] {
    this.connection.shutdownWrite()
    return this.lines()
  }

  abort(): string[] {
    this.connection.abort()
    return this.lines()
  }

  /** What a test of the end of a connection asks: no frame out, no timer, nothing to send. */
  remains(): { frames: number; pollAt: number; charged: number; sends: number } {
    const sends = this.drain().length
    // All connections share it, closed ones too.
    this.memory.shared.clear()
    return {
      frames: this.pool.frameCount - this.pool.available,
      pollAt: this.connection.pollAt,
      charged: this.memory.frames,
      sends,
    }
  }

  #copy(out: Segment): Sent {
    const segment = Object.assign(new Segment(), out)
    let data = ''
    if (out.length > 0) {
      const bytes = new Uint8Array(out.length)
      this.connection.sendQueue.copyOut(out.sequence, out.length, bytes, 0)
      data = new TextDecoder('latin1').decode(bytes)
    }
    return { line: line(segment), segment, data }
  }

  #text(address: number, length: number): string {
    return new TextDecoder('latin1').decode(this.pool.bytes.slice(address, address + length))
  }
}

export const NOTHING_REMAINS = { frames: 0, pollAt: Number.POSITIVE_INFINITY, charged: 0, sends: 0 }

/** `S. 1000+0 ack 5001`; the number behind the plus is the payload's length. */
export function line(segment: Segment): string {
  const flags = Object.entries(FLAGS)
    .filter(([, bit]) => (segment.flags & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
  const ack = (segment.flags & ACK) === 0 ? '' : ` ack ${segment.acknowledgment >>> 0}`
  return `${flags} ${segment.sequence >>> 0}+${segment.length}${ack}`
}

/** Text of a length, in which every byte tells its place. */
export function pattern(length: number, from = 0): string {
  const digits = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
  let text = ''
  for (let i = from; i < from + length; i++) text += digits[(i + Math.floor(i / 62)) % 62]
  return text
}
