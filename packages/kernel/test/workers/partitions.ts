import { ParakernelError } from '@parakernel/hal'
import { type PartitionContext, RingConsumer, RingPollable, RingProducer } from '../../src/index.ts'

/** What the tests ask of the partition that they start. */
export interface Script {
  readonly fail?: 'start' | 'stop'
  /** Milliseconds after which it throws in its loop. */
  readonly crashAfter?: number
  /** Never finishes starting. */
  readonly hang?: boolean
}

export function partition(context: PartitionContext<Script>) {
  const { fail, crashAfter, hang } = context.data
  if (fail === 'start') throw new ParakernelError('EINVAL', 'as the script says', { subject: 'start', remedy: 'none' })
  if (hang) return new Promise<undefined>(() => {})
  const { loop } = context
  if (crashAfter !== undefined) {
    loop.timers.at(loop.clock.now() + crashAfter * 1e6, () => {
      throw new ParakernelError('EIO', 'thrown in the loop', { subject: 'crash' })
    })
  }
  let held = -1
  let received = 0
  for (const [from, descriptor] of context.incoming.entries()) {
    if (descriptor === undefined) continue
    const ring = new RingConsumer(descriptor)
    loop.add(
      new RingPollable(ring, (at) => {
        received += ring.words[at >> 2] === from ? 1 : 0
      }),
    )
  }
  return {
    methods: {
      describe: () => ({
        name: context.name,
        index: context.index,
        partitions: context.partitions,
        heap: context.heap,
        frames: context.pool.frameCount,
        debug: 'report' in context.pool,
        queues: context.queues.length,
      }),
      add: (a: number, b: number) => a + b,
      later: (ms: number) =>
        new Promise((resolve) => loop.timers.at(loop.clock.now() + ms * 1e6, () => resolve('in time'))),
      fails() {
        throw new ParakernelError('ENOENT', 'is not there', { subject: 'it', remedy: 'Put it there' })
      },
      unclonable: () => () => {},
      spin() {
        for (;;);
      },
      exit: () => process.exit(7),
      hold: () => {
        held = context.pool.allocate()
        return held
      },
      send(to: number, count: number) {
        const descriptor = context.outgoing[to]
        if (descriptor === undefined) throw new ParakernelError('EINVAL', 'there is no such ring')
        const ring = new RingProducer(descriptor)
        for (let i = 0; i < count; i++) ring.words[ring.claim() >> 2] = context.index
        return ring.publish()
      },
      received: () => received,
      ask: (partition: number, method: string, args: readonly unknown[], timeout?: number) =>
        context.call(partition, method, args, timeout === undefined ? {} : { timeout }),
      never: () => new Promise(() => {}),
    },
    stop() {
      if (fail === 'stop') throw new Error('as the script says')
      if (held >= 0) context.pool.release(held)
    },
  }
}
