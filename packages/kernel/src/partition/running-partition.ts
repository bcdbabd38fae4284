import { DebugFramePool, FramePool, type Host, ParakernelError } from '@parakernel/hal'
import type { PartitionContext, PartitionExports, PartitionMain, PartitionPlan } from '../contracts.ts'
import type { RunLoop } from '../loop/run-loop.ts'
import { HeldLeases } from './held-leases.ts'
import type { LeaseMessage } from './messages.ts'
import type { PeerCalls } from './peer-calls.ts'

/** A partition in its own thread: builds what the plan describes, starts the module's code, and takes it down again. */
export class RunningPartition {
  readonly plan: PartitionPlan
  readonly loop: RunLoop
  readonly #host: Host | undefined
  readonly #peers: PeerCalls
  readonly #pool: FramePool
  readonly #held: HeldLeases
  #exports: PartitionExports = {}
  #stopped: Promise<void> | undefined

  constructor(plan: PartitionPlan, loop: RunLoop, host: Host | undefined, peers: PeerCalls) {
    this.plan = plan
    this.loop = loop
    this.#host = host
    this.#peers = peers
    this.#pool = createPool(plan)
    this.#held = new HeldLeases(plan.name, {
      pool: this.#pool,
      clock: loop.clock,
      ...(host === undefined ? {} : { host }),
    })
  }

  /** Resolves when the module's code has started. On failure everything that was attached is detached. */
  async start(): Promise<void> {
    const { plan } = this
    const held = this.#held
    try {
      await held.attachAll(plan)
      const main = await importMain(plan)
      const context: PartitionContext = {
        name: plan.name,
        index: plan.index,
        partitions: plan.partitions,
        loop: this.loop,
        clock: this.loop.clock,
        host: this.#host,
        pool: this.#pool,
        queues: held.queues,
        blocks: held.blocks,
        persistent: held.persistent,
        incoming: plan.incoming,
        outgoing: plan.outgoing,
        heap: plan.heap,
        data: plan.data,
        call: (partition, method, args = [], options = {}) => this.#peers.call(partition, method, args, options),
      }
      this.#exports = (await main(context)) ?? {}
    } catch (error) {
      held.detachAll()
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

  /** What the control plane says about a lease; resolves with what `LeaseHolder` promises of it. */
  async lease(message: LeaseMessage): Promise<unknown> {
    if (message.kind === 'grant') return this.#held.grant(message.leased, this.#exports)
    if (message.kind === 'revoke') return this.#held.revoke(message.lease, message.deadline, this.#exports)
    return this.#held.taken(message.lease, this.#exports)
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
      this.#held.detachAll()
    }
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
