import { createFrameWindow, createPlainRegion, DebugFramePool, type FramePool, VirtualClock } from '@parakernel/hal'
import type { Loop, Pollable, Timers } from '@parakernel/kernel'
import {
  DatagramBurst,
  type DatagramHandler,
  type NetworkLibOS,
  NO_REPLY,
  parseIpv4,
  type QueueDescriptor,
} from '@parakernel/queue'
import { Random } from '../../src/load/random.ts'

interface Faults {
  readonly loss?: number
  readonly duplication?: number
  readonly reordering?: number
}

interface Datagram {
  readonly from: number
  readonly fromPort: number
  readonly to: number
  readonly toPort: number
  readonly bytes: Uint8Array
}

const PAYLOAD_OFFSET = 304
const ROOM = 1472

/** An IPv4 network in one thread, on a virtual clock, with faults from a seed. Everything moves in `run`. */
export class TestNetwork {
  readonly clock = new VirtualClock(1e9)
  readonly hosts: TestLibOS[] = []
  readonly wire: Datagram[] = []
  faults: Faults = {}
  /** Sees, and may change, every datagram as it is sent. */
  tamper: ((bytes: Uint8Array) => void) | undefined
  readonly #random: Random
  readonly #tasks: { id: number; due: number; period: number; task: (now: number) => void }[] = []
  #nextTask = 1

  constructor(seed = 1) {
    this.#random = new Random(seed)
  }

  readonly loop: Loop = {
    clock: this.clock,
    now: 0,
    timers: {
      every: (period: number, task: (now: number) => void) => {
        this.#tasks.push({ id: this.#nextTask, due: this.clock.now() + period, period, task })
        return this.#nextTask++
      },
      cancel: (id: number) => {
        const at = this.#tasks.findIndex((task) => task.id === id)
        if (at >= 0) this.#tasks.splice(at, 1)
        return at >= 0
      },
    } as unknown as Timers,
    add: (pollable: Pollable) => this.pollables.push(pollable),
    defer: (task: () => void) => this.#deferred.push(task),
  } as unknown as Loop
  readonly pollables: Pollable[] = []
  readonly #deferred: (() => void)[] = []

  host(address: string, frames = 256, heap = 0, debug = true): TestLibOS {
    const libos = new TestLibOS(this, address, frames, heap, debug)
    this.hosts.push(libos)
    return libos
  }

  send(datagram: Datagram): void {
    this.tamper?.(datagram.bytes)
    const { loss = 0, duplication = 0, reordering = 0 } = this.faults
    if (this.#random.unit() < loss) return
    const copies = this.#random.unit() < duplication ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const late = this.#random.unit() < reordering
      const at = late ? this.#random.below(this.wire.length + 1) : this.wire.length
      this.wire.splice(at, 0, datagram)
    }
  }

  /** Delivers what is on the wire, round by round, for `milliseconds` of virtual time. */
  async run(milliseconds: number, done: () => boolean = () => false): Promise<void> {
    const until = this.clock.now() + milliseconds * 1e6
    while (this.clock.now() < until && !done()) {
      // Promises of the client settle between rounds.
      await new Promise((resolve) => setImmediate(resolve))
      this.round()
      this.clock.advance(1e5)
      for (const task of [...this.#tasks]) {
        if (task.due > this.clock.now()) continue
        task.due += task.period
        task.task(this.clock.now())
      }
    }
  }

  round(): void {
    const now = this.clock.now()
    for (const host of this.hosts) {
      const mine: Datagram[] = []
      for (let i = 0; i < this.wire.length; ) {
        if (this.wire[i].to === host.numeric && host.listens(this.wire[i].toPort)) mine.push(...this.wire.splice(i, 1))
        else i++
      }
      host.receive(mine, now)
    }
    for (const pollable of this.pollables) while (pollable.poll(now) > 0);
    for (const task of this.#deferred.splice(0)) task()
  }
}

/** The part of `NetworkLibOS` that datagram services use, over a `TestNetwork`. Frames are checked by the debug pool. */
export class TestLibOS {
  readonly name = 'test'
  readonly loop: Loop
  readonly pool: FramePool
  readonly numeric: number
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  /** Where received payloads start; other than a multiple of 8 to try unaligned ones. */
  skew = 0
  /** Datagrams that `sendDatagrams` takes; fewer to try a full device. */
  sendLimit = Infinity
  readonly #network: TestNetwork
  readonly #ports = new Map<number, number>()
  readonly #handlers = new Map<number, DatagramHandler>()
  readonly #burst = new DatagramBurst(32)
  #next = 0

  constructor(network: TestNetwork, address: string, frames: number, heap: number, debug: boolean) {
    this.#network = network
    this.loop = network.loop
    this.numeric = parseIpv4(address)
    const frameBytes = frames * 2048
    const region = createPlainRegion(frameBytes + heap)
    const window = createFrameWindow({ region, frameCount: frames })
    this.pool = debug ? new DebugFramePool(window) : new (Object.getPrototypeOf(DebugFramePool))(window)
    this.heap = { byteOffset: frameBytes, byteLength: heap }
  }

  /** As the interface says; what is not here is not used by the code under test. */
  get libos(): NetworkLibOS {
    return this as unknown as NetworkLibOS
  }

  /** Hosts may share an address, as partitions do; the port says which is meant. */
  listens(port: number): boolean {
    for (const [qd, bound] of this.#ports) if (bound === port && this.#handlers.has(qd)) return true
    return false
  }

  socket(): QueueDescriptor {
    return this.#next++ as QueueDescriptor
  }

  bind(qd: QueueDescriptor, address: { port: number }): void {
    this.#ports.set(qd, address.port === 0 ? 40_000 + this.#next : address.port)
  }

  close(qd: QueueDescriptor): void {
    this.#ports.delete(qd)
    this.#handlers.delete(qd)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    if (handler === undefined) this.#handlers.delete(qd)
    else this.#handlers.set(qd, handler)
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    const taken = Math.min(burst.count, this.sendLimit)
    for (let i = 0; i < taken; i++) {
      this.#transmit(qd, burst.frame[i], burst.address[i], burst.length[i], burst.peerAddress[i], burst.peerPort[i])
      this.pool.release(burst.frame[i])
    }
    return taken
  }

  receive(datagrams: Datagram[], now: number): void {
    for (const [qd, port] of this.#ports) {
      const handler = this.#handlers.get(qd)
      const mine = datagrams.filter((datagram) => datagram.toPort === port)
      for (let from = 0; handler !== undefined && from < mine.length; from += this.#burst.capacity) {
        this.#deliver(qd as QueueDescriptor, port, handler, mine.slice(from, from + this.#burst.capacity), now)
      }
    }
  }

  #deliver(qd: QueueDescriptor, port: number, handler: DatagramHandler, datagrams: Datagram[], now: number): void {
    const burst = this.#burst
    burst.count = 0
    for (const datagram of datagrams) {
      const frame = this.pool.allocateForDevice()
      if (frame < 0) continue
      const i = burst.count++
      const address = this.pool.address(frame) + PAYLOAD_OFFSET + this.skew
      this.pool.bytes.set(datagram.bytes, address)
      burst.frame[i] = frame
      burst.address[i] = address
      burst.length[i] = datagram.bytes.length
      burst.peerAddress[i] = datagram.from
      burst.peerPort[i] = datagram.fromPort
      burst.localPort[i] = port
      burst.room[i] = ROOM
      burst.reply[i] = NO_REPLY
      burst.replyFrame[i] = -1
    }
    handler(burst, now)
    for (let i = 0; i < burst.count; i++) {
      if (burst.reply[i] >= 0) {
        const elsewhere = burst.replyFrame[i] >= 0
        const frame = elsewhere ? burst.replyFrame[i] : burst.frame[i]
        const address = elsewhere ? burst.replyAddress[i] : burst.address[i]
        this.#transmit(qd, frame, address, burst.reply[i], burst.peerAddress[i], burst.peerPort[i])
        if (elsewhere) this.pool.release(frame)
      }
      this.pool.release(burst.frame[i])
    }
  }

  #transmit(qd: QueueDescriptor, frame: number, address: number, length: number, to: number, toPort: number): void {
    const start = this.pool.address(frame)
    if (address < start + 66 || address + length > start + this.pool.frameSize)
      throw new Error('reply outside its frame')
    if (length > ROOM) throw new Error(`a datagram of ${length} bytes`)
    const bytes = this.pool.bytes.slice(address, address + length)
    this.#network.send({ from: this.numeric, fromPort: this.#ports.get(qd)!, to, toPort, bytes })
  }
}
