import {
  BLOCK_COUNTERS,
  BLOCK_TIMEOUTS,
  type BlockCapabilities,
  type BlockCounter,
  type BlockRange,
  Counters,
  countersBuffer,
  type FrameWindow,
  type GRANT_RECLAIMED,
  GRANT_REMOVED,
  sumCounters,
} from '@parakernel/hal'
import { MODULE_URL } from '../module-url.ts'
import type { ResolvedOptions } from '../options.ts'
import type { NvmeQueueGrant } from '../queue/grant.ts'
import type { RegisterShare } from '../transport.ts'
import type { Controller } from './controller.ts'
import { disconnect, makePair, pairTransport, releaseFrames, releaseRings } from './pair-parts.ts'
import type { QueuePair } from './queue-pair.ts'

/** The queue pairs that are granted, by queue number, and what is left of those whose grants are over. */
export class PairTable {
  readonly #controller: Controller
  readonly #options: ResolvedOptions
  readonly #depth: number
  readonly #pairs: (QueuePair | undefined)[] = []
  /** By queue; they outlive grants. */
  readonly #counters: (Counters<BlockCounter> | undefined)[] = []
  /** Over, and perhaps still looked at by their holders. */
  readonly #ended: QueuePair[] = []

  constructor(controller: Controller, options: ResolvedOptions, depth: number) {
    this.#controller = controller
    this.#options = options
    this.#depth = depth
  }

  get(queue: number): QueuePair | undefined {
    return this.#pairs[queue]
  }

  /** Pairs with their queues; a copy, so that pairs may go meanwhile. */
  entries(): (readonly [number, QueuePair])[] {
    const found: (readonly [number, QueuePair])[] = []
    for (const [queue, pair] of this.#pairs.entries()) if (pair !== undefined) found.push([queue, pair])
    return found
  }

  /** Memory, frames and a vector for a pair that the controller does not know yet. @throws ENOMEM, ENOTSUP, EPERM */
  prepare(queue: number, window: FrameWindow, capabilities: BlockCapabilities): QueuePair {
    this.sweep(false)
    return makePair(this.#controller, queue, this.#depth, window, capabilities, this.#options)
  }

  /** The controller has no such pair: nobody was told of it. */
  discard(pair: QueuePair): void {
    releaseFrames(this.#controller, pair)
    disconnect(this.#controller, pair)
    releaseRings(this.#controller, pair)
  }

  /** Enters a pair that the controller has; the grant is for its holder. */
  enter(
    queue: number,
    pair: QueuePair,
    range: BlockRange,
    capabilities: BlockCapabilities,
    share: RegisterShare,
  ): NvmeQueueGrant {
    const counters = this.#counters[queue] ?? new Counters(BLOCK_COUNTERS, countersBuffer(BLOCK_COUNTERS))
    this.#counters[queue] = counters
    const grant: NvmeQueueGrant = {
      module: MODULE_URL,
      device: this.#controller.name,
      queue,
      range: { namespace: range.namespace, firstLba: range.firstLba, blocks: range.blocks },
      window: pair.window,
      capabilities,
      control: pair.control.buffer,
      counters: counters.values.buffer as SharedArrayBuffer,
      transport: pairTransport(this.#controller, pair, share, capabilities, this.#options),
    }
    pair.grant = grant
    this.#pairs[queue] = pair
    return grant
  }

  /** The pair is about to be taken from the controller: a reset leaves it out. */
  forget(queue: number): void {
    this.#pairs[queue] = undefined
  }

  /**
   * The controller has let go of a pair, or is gone. Its frames are taken out of the device's reach before the holder is told that nobody
   * uses them.
   */
  end(queue: number, pair: QueuePair, state: typeof GRANT_RECLAIMED | typeof GRANT_REMOVED): void {
    if (this.#pairs[queue] === pair) this.#pairs[queue] = undefined
    releaseFrames(this.#controller, pair)
    pair.end(state)
    disconnect(this.#controller, pair)
    this.#ended.push(pair)
  }

  endAll(): void {
    for (const [queue, pair] of this.entries()) this.end(queue, pair, GRANT_REMOVED)
  }

  suspendAll(): void {
    for (const [, pair] of this.entries()) pair.suspend()
  }

  /** Whether a holder waits for anything. */
  get waiting(): boolean {
    return this.entries().some(([, { state }]) => state.stamps.some((stamp) => stamp !== 0))
  }

  countTimeout({ hardwareQueue }: QueuePair): void {
    const counters = this.#counters[hardwareQueue - 1]
    if (counters !== undefined) counters.values[BLOCK_TIMEOUTS]++
  }

  statistics(): Record<BlockCounter, number> {
    const all = this.#counters.filter((counters) => counters !== undefined)
    return sumCounters(
      BLOCK_COUNTERS,
      all.map((counters) => counters.snapshot()),
    )
  }

  /** Gives back rings of grants that are over, once their holders look at them no more; with `all` in any case. */
  sweep(all: boolean): void {
    for (const pair of this.#ended.splice(0)) {
      if (all || pair.state.acknowledged) releaseRings(this.#controller, pair)
      else this.#ended.push(pair)
    }
  }
}
