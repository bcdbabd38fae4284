import {
  CHECKSUM_VERIFIED,
  COLUMN_CHECKSUM,
  COLUMN_SEGMENT,
  ControlBlock,
  END_OF_PACKET,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  packetEntries,
  RX_BYTES,
  RX_PACKETS,
  SEGMENT_ANY,
  TX_BYTES,
  TX_PACKETS,
  TX_RING_FULL,
  type WakeSource,
} from '@parakernel/hal'

/** The longest IP packet there is; what is sent is as long as a frame, or a super-frame. */
export const LOOPBACK_MTU = 65_535

const ENTRIES = 1024
const COLUMNS = COLUMN_CHECKSUM | COLUMN_SEGMENT
/** No packet of 64 KiB, in frames of 512 bytes and more, has more entries. */
const CHAIN = 192

const CAPABILITIES: NetCapabilities = {
  columns: COLUMNS,
  checksum: { verifies: true, computes: true },
  partialChecksums: 'marked',
  transmitSegmentation: SEGMENT_ANY,
  receiveSegmentation: SEGMENT_ANY,
  maxChain: CHAIN,
  transmitAlignment: 1,
  maxPacket: LOOPBACK_MTU + 18,
  maxSuperPacket: LOOPBACK_MTU + 18,
  ringSize: ENTRIES,
  steering: false,
  rss: 'none',
  receiveFilter: false,
  attach: 'thread',
  regions: ['plain', 'memfd'],
}

/**
 * A queue whose cable comes back to itself: what is transmitted is received, in the same frames, chains and super-frames
 * included. It never crosses a wire, so that no checksum is computed, and every one passes as verified.
 */
export class LoopbackQueue implements NetQueue {
  readonly grant: NetQueueGrant
  readonly pool: FramePool
  readonly capabilities = CAPABILITIES
  readonly control = new ControlBlock()
  readonly counters = new NetCounters()
  readonly wake: WakeSource = { kind: 'none' }
  readonly #ring = new NetBurst(ENTRIES, COLUMNS)
  /** Next entry to be received, and next to be filled: they run on, and wrap by the mask. */
  #head = 0
  #tail = 0

  constructor(pool: FramePool) {
    this.pool = pool
    this.control.transition(GRANT_FREE, GRANT_ATTACHED)
    this.control.linkUp = true
    this.control.mtu = LOOPBACK_MTU
    this.grant = {
      module: '',
      device: 'lo',
      queue: 0,
      window: pool.window,
      capabilities: CAPABILITIES,
      control: this.control.buffer,
      counters: this.counters.values.buffer as SharedArrayBuffer,
      transport: undefined,
    }
  }

  /** Entries that wait to be received. */
  get waiting(): number {
    return (this.#tail - this.#head) | 0
  }

  receive(burst: NetBurst): number {
    const ring = this.#ring
    const { values } = this.counters
    burst.count = 0
    for (;;) {
      const entries = this.#packetAt(this.#head)
      if (entries === 0 || burst.count + entries > burst.capacity) return burst.count
      for (let i = 0; i < entries; i++) {
        const at = this.#head++ & (ENTRIES - 1)
        burst.copyEntry(burst.count++, ring, at)
        values[RX_BYTES] += ring.length[at]
      }
      values[RX_PACKETS]++
    }
  }

  transmit(burst: NetBurst, start = 0): number {
    const ring = this.#ring
    const { values } = this.counters
    burst.refused = 0
    let next = start
    while (next < burst.count) {
      const entries = packetEntries(burst, next)
      if (this.waiting + entries > ENTRIES) {
        values[TX_RING_FULL]++
        break
      }
      for (let i = 0; i < entries; i++) {
        const at = this.#tail++ & (ENTRIES - 1)
        ring.copyEntry(at, burst, next + i)
        ring.flags[at] = (ring.flags[at] & (END_OF_PACKET | SEGMENT_ANY)) | CHECKSUM_VERIFIED
        values[TX_BYTES] += ring.length[at]
      }
      values[TX_PACKETS]++
      next += entries
    }
    return next - start
  }

  reap(): number {
    return 0
  }

  arm(): boolean {
    return this.waiting > 0
  }

  setReceiveFilter(): void {}

  detach(): void {
    while (this.waiting > 0) this.pool.release(this.#ring.frame[this.#head++ & (ENTRIES - 1)])
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
  }

  /** Entries of the packet that begins at `at`, 0 when there is none. */
  #packetAt(at: number): number {
    const { flags } = this.#ring
    for (let i = at; i !== this.#tail; i++) {
      if ((flags[i & (ENTRIES - 1)] & END_OF_PACKET) !== 0) return i - at + 1
    }
    return 0
  }
}
