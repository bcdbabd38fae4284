import type { BackendContext, Clock, FrameWindow, FrameWindowOptions, MacAddress, NetDevice } from '@parakernel/hal'

/** The UDP ports of one flow. */
export interface Flow {
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface SendOptions {
  /** Receive queue of the device on which the packet must arrive. */
  readonly queue?: number
  /** The transport checksum field holds only the pseudo-header's sum. Sent only when `Wire.partialChecksums` is true. */
  readonly partialChecksum?: boolean
}

/** The other end of the device's cable: another NIC, a packet socket, the peer of a pair. */
export interface Wire {
  readonly mac: MacAddress
  /** IPv4 address as text. The device's fixture must let packets from it pass. */
  readonly address: string
  /** Packets that the wire holds for `receive` before it loses any; the suite never has more on their way. */
  readonly capacity: number
  /** True when every packet that was sent reaches the device, under overload too, so that the device must account for it. */
  readonly lossless: boolean
  /** The wire can send packets with a partial checksum. */
  readonly partialChecksums?: boolean
  /** Puts one Ethernet frame (no frame check sequence) on the wire, toward the device. */
  send(packet: Uint8Array, options?: SendOptions): void | Promise<void>
  /** The next frame that came from the device, as a copy; undefined when there is none at the moment. */
  receive(): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /**
   * For a device that chooses the queue by the flow: the ports with which a packet from this wire to the device reaches
   * `queue`. A wire that can aim by `SendOptions.queue` alone leaves it out.
   */
  flow?(queue: number): Flow
  /** Stops (true) or restarts (false) taking packets from the device, so that its transmit ring fills. */
  stall?(stalled: boolean): void | Promise<void>
}

/** Two connected sides: the device under test, and a way to put packets in and take packets out at the other end. */
export interface Fixture {
  readonly device: NetDevice
  /** IPv4 address, as text, that the device's side answers to. */
  readonly address: string
  readonly wire: Wire
  readonly context: BackendContext & { readonly clock: Clock }
  /**
   * URL of a module that exports `createHost(): Host`, for queues that are used in a worker. Left out where the queues
   * need no host.
   */
  readonly hostModule?: string
  /** A window that the device takes. Default: `createPlainWindow`. */
  createWindow?(frameCount: number, options?: Partial<FrameWindowOptions>): FrameWindow
  /** Called whenever the suite waits for something: moves a virtual clock, or carries packets along. */
  advance?(): void | Promise<void>
  /** Hooks that make the device's surroundings change. A hook that is absent skips the cases that need it. */
  setLink?(up: boolean): void | Promise<void>
  setMtu?(mtu: number): void | Promise<void>
  setMac?(mac: MacAddress): void | Promise<void>
  /** Takes the device away, as by unplugging it. The fixture is only closed after that. */
  remove?(): void | Promise<void>
  /** Closes the device if it is open, and everything that `setup` made. */
  close(): void | Promise<void>
}

export interface SetupRequest {
  /** The queues will be used in a worker thread: the fixture's clock must be the machine's. */
  readonly workers: boolean
}

export interface ConformanceOptions {
  /** Names the implementation in test titles. */
  readonly name: string
  setup(request: SetupRequest): Fixture | Promise<Fixture>
  /** Wraps the device of every fixture, to run the suite over a decorator. */
  readonly decorate?: (device: NetDevice, context: BackendContext) => NetDevice
  /** Cases that this implementation cannot pass, by title (`group: case`), with the reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>
  /** Seed of the random workloads; a failing one prints its own. */
  readonly seed?: number
  /** Rounds of the random workloads (default 25) and of the wake-up races (default 200). */
  readonly rounds?: number
  /** Milliseconds that the suite waits for what must happen, before it says that it did not. Default 5000. */
  readonly patience?: number
}
