import {
  type BlockDecorator,
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  Counters,
  countersBuffer,
  type FrameWindow,
  ParakernelError,
  sumCounters,
} from '@parakernel/hal'
import { FOR_EVER } from './fate.ts'
import { BlockProbeDevice, type BlockProbeTransport } from './probe-device.ts'
import {
  BLOCK_FAULT_COUNTERS,
  type BlockFaultCounter,
  type BlockFaultOptions,
  type BlockFaultSettings,
  blockFaultOptions,
  GONE,
  type ResolvedBlockFaults,
  resolveBlockFaults,
  TIMES,
} from './settings.ts'

/** A block device with faults: the control half. */
export class BlockFaultsDevice extends BlockProbeDevice<BlockFaultSettings> {
  readonly #settings: ResolvedBlockFaults
  readonly #shared: Int32Array
  readonly #counters = new Map<number, Counters<BlockFaultCounter>>()

  constructor(inner: BlockDevice, options: BlockFaultOptions) {
    super('block-faults', inner)
    this.#settings = resolveBlockFaults(options)
    const { media } = this.#settings
    this.#shared = new Int32Array(new SharedArrayBuffer(4 * (TIMES + media.length)))
    for (const [i, { times }] of media.entries()) this.#shared[TIMES + i] = times ?? FOR_EVER
  }

  override grant(
    queue: number,
    range: BlockRange,
    window: FrameWindow,
  ): BlockQueueGrant<BlockProbeTransport<BlockFaultSettings>> {
    if (Atomics.load(this.#shared, GONE) === 1) {
      throw new ParakernelError('ENODEV', 'the device is gone, by the option goneAt', { subject: this.name })
    }
    return super.grant(queue, range, window)
  }

  /** How often each fault struck, all queues together. */
  faults(): Record<BlockFaultCounter, number> {
    return sumCounters(
      BLOCK_FAULT_COUNTERS,
      [...this.#counters.values()].map((counters) => counters.snapshot()),
    )
  }

  protected settings({ queue }: BlockQueueGrant): BlockFaultSettings {
    let counters = this.#counters.get(queue)
    if (counters === undefined) {
      counters = new Counters(BLOCK_FAULT_COUNTERS, countersBuffer(BLOCK_FAULT_COUNTERS))
      this.#counters.set(queue, counters)
    }
    return {
      ...this.#settings,
      shared: this.#shared.buffer as SharedArrayBuffer,
      counters: counters.values.buffer as SharedArrayBuffer,
    }
  }
}

/** Fails, cuts, tears, delays and drops commands of a block device, spoils what is read, or takes the device away; by a seed. */
export const blockFaults: BlockDecorator<BlockFaultOptions> = {
  kind: 'block-decorator',
  name: 'block-faults',
  options: blockFaultOptions,
  wrap: (device, options) => (options.enabled === false ? device : new BlockFaultsDevice(device, options)),
}
