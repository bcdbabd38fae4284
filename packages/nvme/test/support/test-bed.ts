import { EmulatedNvme, type NvmeControllerOptions } from '@parakernel/emulated'
import {
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  createPlainWindow,
  FramePool,
  VirtualClock,
} from '@parakernel/hal'
import { blockBackend, type NvmeDevice, type NvmeOptions, type NvmeQueue, openNvme } from '../../src/index.ts'

export interface Outcome {
  readonly cookie: number
  readonly status: number
}

/** A driver on an emulated controller under a virtual clock, with queues held by the test; every completion is noted. */
export class TestBed {
  readonly clock: VirtualClock
  readonly controller: EmulatedNvme
  device!: NvmeDevice
  readonly queues = new Map<number, NvmeQueue>()
  /** Cookies that were accepted and did not come back. */
  readonly outstanding = new Map<number, number>()
  readonly outcomes: Outcome[] = []
  /** Completions of cookies that were not outstanding. */
  strays = 0
  #cookie = 1
  readonly #completions = new BlockCompletions(32)

  private constructor(controller: NvmeControllerOptions) {
    this.clock = new VirtualClock()
    this.controller = new EmulatedNvme(controller, this.clock)
  }

  static async open(controller: NvmeControllerOptions = {}, driver: NvmeOptions = {}): Promise<TestBed> {
    const bed = new TestBed(controller)
    bed.device = await openNvme(
      bed.controller,
      { queues: 3, depth: 16, timeout: 100, adminTimeout: 200, ...driver },
      { clock: bed.clock },
    )
    return bed
  }

  open(number: number): NvmeQueue {
    const window = createPlainWindow(32, { frameSize: 4096, headroom: 0 })
    const blocks = this.device.namespaces.get(1) as number
    const grant = this.device.grant(number, { namespace: 1, firstLba: 0, blocks }, window)
    const queue = blockBackend.attach(grant, { pool: new FramePool(window), clock: this.clock }) as NvmeQueue
    for (let i = 0; i < 32; i++) queue.pool.allocate()
    this.queues.set(number, queue)
    return queue
  }

  /** Offers `count` commands of a block each; returns how many were accepted. */
  submit(number: number, count: number, opcode: number = BLOCK_WRITE, lba = 0): number {
    const queue = this.queues.get(number)
    if (queue === undefined) return 0
    const burst = new BlockBurst(count)
    for (let i = 0; i < count; i++) {
      burst.push(opcode, 1, lba + i, opcode === 3 ? 0 : 1, this.#cookie++)
      if (opcode === BLOCK_READ || opcode === BLOCK_WRITE) burst.addSegment(i, 0, 4096)
    }
    const taken = queue.submit(burst)
    for (let i = 0; i < taken; i++) this.outstanding.set(burst.cookie[i], number)
    return taken
  }

  /** One look at every queue. */
  poll(): void {
    for (const queue of this.queues.values()) this.#drain(queue)
  }

  /** Lets time pass, in milliseconds, with a look every eighth of the timeout. */
  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 12.5) {
      this.clock.advance(12.5e6)
      this.poll()
      // Else a tick comes with the look at a queue.
      if (this.queues.size === 0) this.device.watch()
      await this.device.idle()
      this.poll()
    }
  }

  /** Until nothing is outstanding any more, or `milliseconds` of virtual time went by. */
  async settle(milliseconds = 2000): Promise<void> {
    for (let left = milliseconds; left > 0 && this.outstanding.size > 0; left -= 12.5) await this.pass(12.5)
  }

  /** Takes a queue back: what was outstanding must complete, too. */
  reclaim(number: number): void {
    const queue = this.queues.get(number)
    if (queue === undefined) return
    this.device.reclaim(queue.grant)
    this.#drain(queue)
    queue.detach()
    this.queues.delete(number)
  }

  async close(): Promise<void> {
    for (const number of [...this.queues.keys()]) this.reclaim(number)
    await this.device.close()
  }

  #drain(queue: NvmeQueue): void {
    const list = this.#completions
    while (queue.complete(list) > 0) {
      for (let i = 0; i < list.count; i++) {
        if (!this.outstanding.delete(list.cookie[i])) this.strays++
        this.outcomes.push({ cookie: list.cookie[i], status: list.status[i] })
      }
    }
  }
}
