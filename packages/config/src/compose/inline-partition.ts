import { attachNetQueue, DebugFramePool, FramePool, type Host, type NetQueue, ParakernelError } from '@parakernel/hal'
import type { Loop, PartitionContext, PartitionPlan } from '@parakernel/kernel'
import { type Payload, partition } from '../partition/main.ts'
import type { RunningPartition } from './running-partition.ts'

/** Starts a partition in the calling thread, on a loop that others may share. */
export async function startInline(
  plan: PartitionPlan<Payload>,
  loop: Loop,
  host: Host | undefined,
): Promise<RunningPartition> {
  const { name, index, partitions, window, heap, incoming, outgoing, data } = plan
  const options = { deviceReserve: plan.deviceReserve ?? 0 }
  const pool = plan.debugFrames === true ? new DebugFramePool(window, options) : new FramePool(window, options)
  const attach = { pool, clock: loop.clock, ...(host === undefined ? {} : { host }) }
  const queues: NetQueue[] = []
  const detach = () => {
    for (const queue of queues.splice(0)) queue.detach()
  }
  try {
    for (const grant of plan.grants) queues.push(await attachNetQueue(grant, attach))
    const { clock } = loop
    const context: PartitionContext<Payload> = {
      name,
      index,
      partitions,
      loop,
      clock,
      host,
      pool,
      queues: [...queues],
      incoming,
      outgoing,
      heap,
      data,
    }
    const exports = await partition(context)
    let ended = (_: undefined): void => {}
    const exited = new Promise<undefined>((resolve) => {
      ended = resolve
    })
    return {
      name,
      exited,
      async call(method, args) {
        const found = exports?.methods?.[method] as ((...args: readonly unknown[]) => unknown) | undefined
        if (found === undefined) {
          throw new ParakernelError('ENOSYS', `has no method ${JSON.stringify(method)}`, {
            subject: `partition ${name}`,
          })
        }
        // Cloned as for a worker, so that a program behaves alike in both.
        return structuredClone(await found(...structuredClone(args)))
      },
      async stop() {
        try {
          await exports?.stop?.()
        } finally {
          detach()
          ended(undefined)
        }
      },
    }
  } catch (error) {
    detach()
    throw error
  }
}
