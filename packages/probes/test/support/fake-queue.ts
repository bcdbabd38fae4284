import {
  ALL_COLUMNS,
  ControlBlock,
  checkPacket,
  createPlainWindow,
  DebugFramePool,
  END_OF_PACKET,
  type FramePool,
  type FrameWindow,
  GRANT_ATTACHED,
  GRANT_FREE,
  type NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  packetEntries,
  REFUSED,
  RX_BYTES,
  RX_PACKETS,
  refusePacket,
  SEGMENT_UDP,
  TX_BYTES,
  TX_PACKETS,
  TX_RING_FULL,
  TX_UNSUPPORTED,
  type WakeSource,
  WakeWord,
} from '@parakernel/hal'

const capabilities: NetCapabilities = {
  columns: ALL_COLUMNS,
  checksum: { verifies: true, computes: true },
  partialChecksums: 'marked',
  transmitSegmentation: SEGMENT_UDP,
  receiveSegmentation: 0,
  maxChain: 4,
  transmitAlignment: 1,
  maxPacket: 4096,
  maxSuperPacket: 65_535,
  ringSize: 256,
  steering: false,
  rss: 'none',
  receiveFilter: false,
  attach: 'thread',
  regions: ['plain'],
}

export interface Sent {
  readonly bytes: Uint8Array
  readonly flags: number
}

/** A queue whose other side is the test: packets are fed as lists of fragments, and what was sent is kept. */
export class FakeQueue implements NetQueue {
  readonly grant: NetQueueGrant
  readonly pool: FramePool
  readonly capabilities = capabilities
  readonly control = new ControlBlock()
  readonly counters: NetCounters
  readonly wake: WakeSource
  readonly fed: { fragments: readonly Uint8Array[]; flags: number; vlan: number }[] = []
  readonly sent: Sent[] = []
  /** Packets that `transmit` takes before its ring is full. */
  room = Infinity
  /** Refuses every packet, for a reason of its own. */
  refuses = false

  constructor(pool: FramePool = new DebugFramePool(fakeWindow()), queue = 0) {
    this.pool = pool
    this.counters = new NetCounters()
    this.wake = { kind: 'word', word: new WakeWord(pool.window.wake) }
    this.control.transition(GRANT_FREE, GRANT_ATTACHED)
    this.grant = {
      module: 'test:',
      device: 'fake0',
      queue,
      window: pool.window,
      capabilities,
      control: this.control.buffer,
      counters: this.counters.values.buffer as SharedArrayBuffer,
      transport: undefined,
    }
  }

  feed(...fragments: Uint8Array[]): void {
    this.fed.push({ fragments, flags: 0, vlan: 0 })
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    if (this.control.state !== GRANT_ATTACHED) return 0
    for (let next = this.fed[0]; next !== undefined; next = this.fed[0]) {
      if (burst.count + next.fragments.length > burst.capacity) break
      this.fed.shift()
      for (const [i, fragment] of next.fragments.entries()) {
        const frame = this.pool.allocateForDevice()
        if (frame < 0) throw new Error('the test has too few frames')
        this.pool.bytes.set(fragment, this.pool.address(frame) + this.pool.headroom)
        burst.push(frame, this.pool.headroom, fragment.length)
        burst.flags[burst.count - 1] = next.flags | (i === next.fragments.length - 1 ? END_OF_PACKET : 0)
        if (burst.vlan.length > 0) burst.vlan[burst.count - 1] = next.vlan
        this.counters.values[RX_BYTES] += fragment.length
      }
      this.counters.values[RX_PACKETS]++
    }
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    if (this.control.state !== GRANT_ATTACHED) return 0
    let at = start
    while (at < burst.count) {
      const entries = packetEntries(burst, at)
      const refusal = this.refuses ? TX_UNSUPPORTED : checkPacket(burst, at, entries, this.pool, capabilities)
      if (refusal >= 0) refusePacket(burst, at, entries, refusal, this.counters.values)
      else if (this.room === 0) {
        this.counters.values[TX_RING_FULL]++
        break
      } else {
        this.room--
        this.#send(burst, at, entries)
      }
      at += entries
    }
    return at - start
  }

  reap(): number {
    return 0
  }

  arm(): boolean {
    return this.fed.length > 0
  }

  setReceiveFilter(): void {}

  detach(): void {
    this.control.transition(GRANT_ATTACHED, 2)
  }

  #send(burst: NetBurst, at: number, entries: number): void {
    const parts: Uint8Array[] = []
    for (let i = at; i < at + entries; i++) {
      const start = this.pool.address(burst.frame[i]) + burst.offset[i]
      this.pool.lend(burst.frame[i], burst.offset[i], burst.length[i])
      parts.push(this.pool.bytes.slice(start, start + burst.length[i]))
      this.counters.values[TX_BYTES] += burst.length[i]
    }
    this.sent.push({ bytes: Buffer.concat(parts), flags: burst.flags[at] & ~REFUSED })
    this.counters.values[TX_PACKETS]++
    for (let i = at; i < at + entries; i++) this.pool.giveBack(burst.frame[i])
  }
}

export function fakeWindow(frames = 4096): FrameWindow {
  return createPlainWindow(frames, { frameSize: 1024 })
}

/** A packet of `length` bytes whose first four are its number. */
export function numbered(number: number, length = 64): Uint8Array {
  const packet = new Uint8Array(length)
  new DataView(packet.buffer).setUint32(0, number)
  for (let i = 4; i < length; i++) packet[i] = (number * 7 + i) & 0xff
  return packet
}

export function numberOf(packet: Uint8Array): number {
  return new DataView(packet.buffer, packet.byteOffset).getUint32(0)
}
