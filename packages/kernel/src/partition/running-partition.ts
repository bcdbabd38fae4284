import {
  attachBlockQueue,
  attachNetQueue,
  attachPersistentRegion,
  type BlockQueue,
  DebugFramePool,
  FramePool,
  type Host,
  type NetQueue,
  ParakernelError,
  type PersistentRegion,
} from '@parakernel/hal'
import type { PartitionContext, PartitionExports, PartitionMain, PartitionPlan } from '../contracts.ts'
import type { RunLoop } from '../loop/run-loop.ts'

/** A partition in its own thread: builds what the plan describes, starts the module's code, and takes it down again. */
export class RunningPartition {
  readonly plan: PartitionPlan
  readonly loop: RunLoop
  readonly #host: Host | undefined
  readonly #queues: NetQueue[] = []
  readonly #blocks: BlockQueue[] = []
  readonly #persistent: PersistentRegion[] = []
  #exports: PartitionExports = {}
  #stopped: Promise<void> | undefined

  constructor(plan: PartitionPlan, loop: RunLoop, host: Host | undefined) {
    this.plan = plan
    this.loop = loop
    this.#host = host
  }

  /** Resolves when the module's code has started. On failure everything that was attached is detached. */
  async start(): Promise<void> {
    const { plan } = this
    try {
      const pool = createPool(plan)
      const attach = {
        pool,
        clock: this.loop.clock,
        ...(this.#host === undefined ? {} : { host: this.#host }),
      }
      for (const grant of plan.grants) this.#queues.push(await attachNetQueue(grant, attach))
      for (const grant of plan.blockGrants ?? []) this.#blocks.push(await attachBlockQueue(grant, attach))
      for (const grant of plan.persistentGrants ?? []) {
        this.#persistent.push(await attachPersistentRegion(grant, attach))
      }
      const main = await importMain(plan)
      const context: PartitionContext = {
        name: plan.name,
        index: plan.index,
        partitions: plan.partitions,
        loop: this.loop,
        clock: this.loop.clock,
        host: this.#host,
        pool,
        queues: this.#queues,
        blocks: this.#blocks,
        persistent: this.#persistent,
        incoming: plan.incoming,
        outgoing: plan.outgoing,
        heap: plan.heap,
        data: plan.data,
      }
      this.#exports = (await main(context)) ?? {}
    } catch (error) {
      this.#detach()
      throw error
    }
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    const methods = this.#exports.methods ?? {}
    if (!Object.hasOwn(methods, method)) {
      const names = Object.keys(methods).join(', ')
      throw new ParakernelError('ENOSYS', `there is no method ${JSON.stringify(method)}`, {
        subject: `partition ${this.plan.name}`,
        remedy: names === '' ? 'Its module returns no methods' : `It has ${names}`,
      })
    }
    return methods[method](...(args as never[]))
  }

  /** Idempotent. The queues are detached even when the module's `stop` throws. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    try {
      await this.#exports.stop?.()
    } finally {
      this.#detach()
    }
  }

  #detach(): void {
    for (const region of this.#persistent.splice(0)) region.detach()
    for (const queue of this.#blocks.splice(0)) queue.detach()
    for (const queue of this.#queues.splice(0)) queue.detach()
  }
}

function createPool({ window, debugFrames, deviceReserve = 0 }: PartitionPlan): FramePool {
  const options = { deviceReserve }
  return debugFrames === true ? new DebugFramePool(window, options) : new FramePool(window, options)
}

async function importMain({ module, name }: PartitionPlan): Promise<PartitionMain> {
  const { partition } = (await import(module)) as { partition?: unknown }
  if (typeof partition === 'function') return partition as PartitionMain
  throw new ParakernelError('EINVAL', `${module} exports no function \`partition\``, { subject: `partition ${name}` })
}
