import {
  ControlBlock,
  countersBuffer,
  createPlainWindow,
  FramePool,
  MonotonicClock,
  NET_COUNTERS,
  type NetQueueGrant,
} from '@parakernel/hal'
import { calls, createEventFd, foreign, MAP_ANONYMOUS, MAP_SHARED, mmap } from '@parakernel/linux'
import { afXdpCapabilities } from '../src/control/capabilities.ts'
import { AfXdpQueue } from '../src/data/queue.ts'
import { LEDGER_BYTES } from '../src/ledger.ts'
import { RETIREMENT_BYTES } from '../src/retire.ts'
import { filterTableBytes } from '../src/steering/filter-table.ts'
import type { MappedRing, XdpTransport } from '../src/transport.ts'

const RING = 2048
const HEADER = 192

/** A queue over rings in ordinary memory, and the kernel's side of them: what is left is our own code. */
export class FakeKernel {
  readonly queue: AfXdpQueue
  readonly #rings: Record<'rx' | 'tx' | 'fill' | 'completion', { words: Int32Array; entries: Int32Array }>

  constructor() {
    const ring = (entryBytes: number): MappedRing => {
      const length = HEADER + RING * entryBytes
      const address = mmap(0, length, MAP_SHARED | MAP_ANONYMOUS, -1, 0, 'ring')
      return { address, length, producer: 0, consumer: 64, flags: 128, entries: HEADER }
    }
    const length = filterTableBytes(1)
    // Never asked for a group: no memberships.
    const nobody = { queues: 1, socket: -1, interfaceIndex: 0 }
    const rings = { rx: ring(16), tx: ring(16), fill: ring(8), completion: ring(8) }
    const window = createPlainWindow(2 * RING)
    const control = new ControlBlock()
    control.mtu = 1500
    const placeholder = createEventFd()
    const grant: NetQueueGrant<XdpTransport> = {
      module: '',
      device: 'fake',
      queue: 0,
      window,
      capabilities: afXdpCapabilities({ mtu: 1500, ringSize: RING, computes: false, partialChecksums: 'never' }),
      control: control.buffer,
      counters: countersBuffer(NET_COUNTERS),
      transport: {
        id: 0,
        processId: process.pid,
        descriptor: createEventFd(),
        placeholder,
        ringSize: RING,
        metadataBytes: 0,
        ...rings,
        filter: { address: mmap(0, length, MAP_SHARED | MAP_ANONYMOUS, -1, 0, 'filter'), length, ...nobody },
        retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
        ledger: new SharedArrayBuffer(LEDGER_BYTES),
      },
    }
    this.queue = new AfXdpQueue(grant, { pool: new FramePool(window), clock: new MonotonicClock() })
    const view = ({ address, length }: MappedRing) => {
      const buffer = foreign().view(address, length)
      return { words: new Int32Array(buffer), entries: new Int32Array(buffer, HEADER) }
    }
    this.#rings = { rx: view(rings.rx), tx: view(rings.tx), fill: view(rings.fill), completion: view(rings.completion) }
  }

  /** Fills `count` posted frames, as if as many packets of `length` bytes came. */
  deliver(count: number, length: number): void {
    const { rx, fill } = this.#rings
    const headroom = this.queue.pool.headroom
    let from = fill.words[16]
    let to = rx.words[0]
    for (let i = 0; i < count; i++) {
      const at = (to & (RING - 1)) << 2
      rx.entries[at] = fill.entries[(from & (RING - 1)) << 1] + headroom
      rx.entries[at + 2] = length
      from = (from + 1) | 0
      to = (to + 1) | 0
    }
    fill.words[16] = from
    Atomics.store(rx.words, 0, to)
  }

  /** Sends everything that is in the transmit ring. */
  send(): void {
    const { tx, completion } = this.#rings
    let from = tx.words[16]
    let to = completion.words[0]
    while (from !== tx.words[0]) {
      completion.entries[(to & (RING - 1)) << 1] = tx.entries[(from & (RING - 1)) << 2]
      from = (from + 1) | 0
      to = (to + 1) | 0
    }
    tx.words[16] = from
    Atomics.store(completion.words, 0, to)
  }

  close(): void {
    this.queue.detach()
    for (const { words } of Object.values(this.#rings)) calls().munmap(foreign().addressOf(words), words.byteLength)
  }
}
