import {
  ControlBlock,
  END_OF_PACKET,
  type FilterExpression,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_FREE,
  interpretFilter,
  type NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  PacketLayout,
} from '@parakernel/hal'

const CAPABILITIES: NetCapabilities = {
  columns: 0,
  checksum: { verifies: false, computes: false },
  partialChecksums: 'never',
  transmitSegmentation: 0,
  receiveSegmentation: 0,
  maxChain: 4,
  transmitAlignment: 1,
  maxPacket: 1514,
  maxSuperPacket: 1514,
  ringSize: 64,
  steering: false,
  rss: 'none',
  receiveFilter: false,
  packetFilter: true,
  attach: 'thread',
  regions: [],
}

/** A device queue whose wire is an array: what the test puts in is received, in chains of `pieces`; what is sent can be read. */
export class ScriptedNic implements NetQueue {
  readonly grant
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control = new ControlBlock()
  readonly counters = new NetCounters()
  readonly wake = { kind: 'none' } as const
  readonly sent: Uint8Array[] = []
  /** Frames that the device still reads: given back by `reap` when `isSlow` is not set. */
  readonly reading: number[] = []
  isSlow = false
  /** Packets that `transmit` takes before the ring is full. */
  room = Number.POSITIVE_INFINITY
  pieces = 1
  filter: FilterExpression | undefined
  dropped = 0
  readonly #wire: Uint8Array[] = []
  readonly #layout = new PacketLayout()

  constructor(pool: FramePool, capabilities: Partial<NetCapabilities> = {}) {
    this.pool = pool
    this.capabilities = { ...CAPABILITIES, ...capabilities }
    this.control.transition(GRANT_FREE, GRANT_ATTACHED)
    this.grant = {
      module: '',
      device: 'nic',
      queue: 0,
      window: pool.window,
      capabilities: this.capabilities,
      control: this.control.buffer,
      counters: this.counters.values.buffer as SharedArrayBuffer,
      transport: undefined,
    }
  }

  /** Frames that arrive, and have not been received. */
  get waiting(): number {
    return this.#wire.length
  }

  arrive(...packets: readonly Uint8Array[]): void {
    for (const bytes of packets) {
      this.#layout.ofFrame(bytes, 0, bytes.length)
      if (this.filter === undefined || interpretFilter(this.filter, bytes, this.#layout)) this.#wire.push(bytes)
      else this.dropped++
    }
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    while (this.#wire.length > 0 && burst.count + this.pieces <= burst.capacity) {
      const packet = this.#wire.shift() as Uint8Array
      const size = Math.ceil(packet.length / this.pieces)
      for (let at = 0; at < packet.length; at += size) {
        const piece = packet.subarray(at, at + size)
        const frame = this.pool.allocateForDevice()
        this.pool.copyIn(this.pool.address(frame) + this.pool.headroom, piece)
        burst.push(frame, this.pool.headroom, piece.length)
        if (at + size < packet.length) burst.flags[burst.count - 1] &= ~END_OF_PACKET
      }
    }
    return burst.count
  }

  transmit(burst: NetBurst): number {
    if (this.room === 0) return 0
    this.room--
    const bytes: number[] = []
    for (let i = 0; i < burst.count; i++) {
      const start = this.pool.address(burst.frame[i]) + burst.offset[i]
      bytes.push(...this.pool.bytes.subarray(start, start + burst.length[i]))
      this.pool.lend(burst.frame[i], burst.offset[i], burst.length[i])
      this.reading.push(burst.frame[i])
    }
    this.sent.push(Uint8Array.from(bytes))
    return burst.count
  }

  reap(): number {
    if (this.isSlow) return 0
    for (const frame of this.reading) this.pool.giveBack(frame)
    return this.reading.splice(0).length
  }

  arm(): boolean {
    return this.#wire.length > 0
  }

  /** As the control half would. */
  readonly setFilter = (expression: FilterExpression | undefined): void => {
    this.filter = expression
  }

  setReceiveFilter(): void {}

  detach(): void {
    this.isSlow = false
    this.reap()
  }
}
