import { attachPersistentRegion, type Host, MonotonicClock, type PersistentGrant } from '@parakernel/hal'

/** What the suite asks of a worker that holds persistent memory. */
export type PersistentStep =
  /** Fills the range with `value`, persists it, and detaches unless told to keep it. */
  | {
      readonly kind: 'fill'
      readonly grant: PersistentGrant
      readonly hostModule: string | undefined
      readonly value: number
      readonly keep: boolean
    }
  /** Counts in the first word, persisting each number, until the worker is killed; `progress` holds the last one persisted. */
  | {
      readonly kind: 'count'
      readonly grant: PersistentGrant
      readonly hostModule: string | undefined
      readonly progress: SharedArrayBuffer
    }

/** Runs the suite's steps on a persistent region, in whichever thread it is constructed. */
export class PersistentStepRunner {
  readonly #started: () => void

  /** @param started is called when a step that never ends has begun. */
  constructor(started: () => void) {
    this.#started = started
  }

  async run(step: PersistentStep): Promise<unknown> {
    let host: Host | undefined
    if (step.hostModule !== undefined) {
      const { createHost } = (await import(step.hostModule)) as { createHost(): Host }
      host = createHost()
    }
    const context = { clock: new MonotonicClock(), ...(host !== undefined && { host }) }
    const region = await attachPersistentRegion(step.grant, context)
    const bytes = new Uint8Array(region.region.buffer, region.byteOffset, region.byteLength)
    if (step.kind === 'fill') {
      bytes.fill(step.value)
      region.persist([0, region.byteLength])
      if (!step.keep) region.detach()
      return undefined
    }
    const words = new BigUint64Array(region.region.buffer, region.byteOffset, 1)
    const progress = new BigUint64Array(step.progress)
    this.#started()
    for (let n = 1n; ; n++) {
      words[0] = n
      region.persist([0, 8])
      Atomics.store(progress, 0, n)
    }
  }
}
