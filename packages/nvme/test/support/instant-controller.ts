import { EmulatedNvme } from '@parakernel/emulated'
import {
  BlockBurst,
  BlockCompletions,
  createPlainWindow,
  FramePool,
  MonotonicClock,
  type RegisterWindow,
} from '@parakernel/hal'
import { type NvmeDevice, NvmeQueue, type NvmeQueueGrant, openNvme } from '../../src/index.ts'

const SUBMISSION_DOORBELL = 0x1008
const COMPLETION_DOORBELL = 0x100c

/**
 * Registers before those of an emulated controller, that answer each command of queue 1 with success as soon as its doorbell is rung. They
 * look at the identifier and write the completion, and allocate nothing by that: what remains is the driver's own time.
 */
class InstantRegisters implements RegisterWindow {
  readonly byteLength: number
  readonly #model: RegisterWindow
  #words: Int32Array = new Int32Array(0)
  #submission = 0
  #completion = 0
  #mask = 0
  #head = 0
  #at = 0
  #phase = 1

  constructor(model: RegisterWindow) {
    this.#model = model
    this.byteLength = model.byteLength
  }

  read32(offset: number): number {
    return this.#model.read32(offset)
  }

  write32(offset: number, value: number): void {
    if (this.#mask === 0 || (offset !== SUBMISSION_DOORBELL && offset !== COMPLETION_DOORBELL)) {
      this.#model.write32(offset, value)
    } else if (offset === SUBMISSION_DOORBELL) this.answer(value)
  }

  takeOver({ transport }: NvmeQueueGrant): void {
    this.#words = new Int32Array(transport.region.buffer)
    this.#submission = transport.rings[0].submission >>> 2
    this.#completion = transport.rings[0].completion >>> 2
    this.#mask = transport.depth - 1
  }

  letGo(): void {
    this.#mask = 0
  }

  /** Also by itself, to tell its own time: rewrites the completions of what is in the ring. */
  answer(tail: number): void {
    const words = this.#words
    while (this.#head !== tail) {
      const identifier = words[this.#submission + (this.#head << 4)] >>> 16
      this.#head = (this.#head + 1) & this.#mask
      const entry = this.#completion + (this.#at << 2)
      words[entry] = 0
      words[entry + 2] = 0x1_0000 | this.#head
      words[entry + 3] = (this.#phase << 16) | identifier
      this.#at = (this.#at + 1) & this.#mask
      if (this.#at === 0) this.#phase ^= 1
    }
  }
}

/** A queue of the driver, before a controller that costs next to nothing or before the emulated one, with a burst to submit. */
export class HotPath {
  readonly device: NvmeDevice
  readonly queue: NvmeQueue
  readonly burst: BlockBurst
  readonly completions: BlockCompletions
  readonly registers: InstantRegisters

  private constructor(device: NvmeDevice, queue: NvmeQueue, registers: InstantRegisters, size: number) {
    this.device = device
    this.queue = queue
    this.registers = registers
    this.burst = new BlockBurst(size)
    this.completions = new BlockCompletions(size)
  }

  static async open({ instant = true, size = 32 } = {}): Promise<HotPath> {
    const clock = new MonotonicClock()
    const controller = new EmulatedNvme({ latency: 0 }, clock)
    const registers = new InstantRegisters(controller.registers)
    const { name, memory, interrupts } = controller
    const transport = { name, memory, interrupts, registers, close: () => controller.close() }
    const device = await openNvme(transport, { depth: 256, interrupts: false }, { clock })
    const window = createPlainWindow(size, { frameSize: 4096, headroom: 0 })
    const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks: 16_384 }, window)
    const pool = new FramePool(window)
    for (let i = 0; i < size; i++) pool.allocate()
    const queue = new NvmeQueue(grant, { pool, clock })
    if (instant) registers.takeOver(grant)
    return new HotPath(device, queue, registers, size)
  }

  /** `opcode` of 4 KiB from each frame, at random-looking places. */
  fill(opcode: number): void {
    const { burst } = this
    burst.clear()
    for (let i = 0; i < burst.capacity; i++) {
      burst.push(opcode, 1, (i * 2654435761) % 16_384, 1, i)
      burst.addSegment(i, 0, 4096)
    }
  }

  /** The whole burst to its end. */
  round(): void {
    this.queue.submit(this.burst)
    let done = 0
    while (done < this.burst.count) done += this.queue.complete(this.completions)
  }

  async close(): Promise<void> {
    this.queue.detach()
    this.registers.letGo()
    await this.device.close()
  }
}
