import {
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  NetBurst,
  type NetQueue,
  ParakernelError,
} from '@parakernel/hal'
import type { HeldLease, PartitionContext, PartitionExports, Pollable } from '../../src/index.ts'

/** How the partition of the lease tests behaves. */
export interface LeaseScript {
  /** Default: as a module that knows nothing of leases. `orderly` finishes first; `ignore` never answers; `fail` throws. */
  readonly onRevoke?: 'orderly' | 'ignore' | 'fail'
  readonly refuseGrants?: boolean
  /** Destination of what it sends, 12 hexadecimal digits. */
  readonly peer?: string
  /** Sends from the start on. */
  readonly flood?: boolean
}

export interface LeaseReport {
  readonly available: number
  readonly frames: number
  readonly received: number
  readonly sent: number
  /** Packets of the longest quiet spell's neighbours: nanoseconds between two receptions, at most. */
  readonly longestGap: number
  /** Cookie and status, in the order of completion. */
  readonly completions: readonly (readonly [number, number])[]
  readonly events: readonly string[]
  readonly queues: number
  readonly blocks: number
  readonly persistent: number
  /** What is attached, as `device/queue` or `device/offset`. */
  readonly attached: readonly string[]
  /** Writes that have not completed: each holds a frame. */
  readonly writing: number
}

const PACKET = 64

export function partition(context: PartitionContext<LeaseScript>): PartitionExports {
  const { loop, pool, data } = context
  const burst = new NetBurst(16)
  const completions = new BlockCompletions(16)
  const done: [number, number][] = []
  const events: string[] = []
  /** Frames of writes that are under way, by cookie. */
  const writing = new Map<number, number>()
  /** Block queues that were taken go on to be asked for what was outstanding. */
  const blocks = new Set<BlockQueue>(context.blocks)
  let received = 0
  let sent = 0
  let flooding = data.flood === true
  let lastAt = 0
  let longestGap = 0

  const receive = (queue: NetQueue, now: number) => {
    queue.receive(burst)
    for (let i = 0; i < burst.count; i++) pool.release(burst.frame[i])
    if (burst.count > 0) {
      if (lastAt > 0) longestGap = Math.max(longestGap, now - lastAt)
      lastAt = now
    }
    received += burst.count
    return burst.count
  }
  const send = (queue: NetQueue, count = 8) => {
    burst.count = 0
    while (burst.count < count) {
      const frame = pool.allocate()
      if (frame < 0) break
      const at = pool.address(frame) + pool.headroom
      pool.bytes.set(Buffer.from(`${data.peer}02000000ff0188b5`, 'hex'), at)
      burst.push(frame, pool.headroom, PACKET)
    }
    const taken = queue.transmit(burst)
    for (let i = taken; i < burst.count; i++) pool.release(burst.frame[i])
    sent += taken
    return taken
  }
  const collect = (queue: BlockQueue) => {
    const count = queue.complete(completions)
    for (let i = 0; i < count; i++) {
      const cookie = completions.cookie[i]
      pool.release(writing.get(cookie) as number)
      writing.delete(cookie)
      done.push([cookie, completions.status[i]])
    }
    return count
  }
  const pollable: Pollable = {
    wake: { kind: 'none' },
    arm: () => flooding,
    poll(now) {
      let work = 0
      for (const queue of context.queues) {
        work += receive(queue, now)
        if (flooding) work += send(queue)
      }
      for (const queue of blocks) work += collect(queue)
      return work
    },
    nextEvent: () =>
      Math.min(
        ...context.queues.map((queue) => queue.nextEvent?.() ?? Number.POSITIVE_INFINITY),
        ...[...blocks].map((queue) => queue.nextEvent?.() ?? Number.POSITIVE_INFINITY),
      ),
  }
  loop.add(pollable)

  const whenDone = async () => {
    while (writing.size > 0)
      await new Promise<void>((resolve) => loop.timers.at(loop.clock.now() + 1e5, () => resolve()))
  }
  const { onRevoke } = data
  return {
    methods: {
      report: (): LeaseReport => ({
        ...{ available: pool.available, frames: pool.frameCount, received, sent, longestGap },
        ...{ completions: [...done], events: [...events] },
        ...{ queues: context.queues.length, blocks: context.blocks.length, persistent: context.persistent.length },
        attached: [
          ...[...context.queues, ...context.blocks].map(({ grant }) => `${grant.device}/${grant.queue}`),
          ...context.persistent.map(({ grant }) => `${grant.device}/${grant.range.byteOffset}`),
        ],
        writing: writing.size,
      }),
      /** Submits one write for each cookie to the first block queue; returns how many it took. */
      write(cookies: readonly number[]) {
        const [queue] = context.blocks
        if (queue === undefined) return 0
        blocks.add(queue)
        const commands = new BlockBurst(cookies.length)
        const { range, capabilities } = queue.grant
        for (const cookie of cookies) {
          const frame = pool.allocate()
          if (frame < 0) throw new ParakernelError('ENOBUFS', 'no frame')
          writing.set(cookie, frame)
          commands.push(BLOCK_WRITE, range.namespace, range.firstLba + (cookie % range.blocks), 1, cookie)
          commands.addSegment(frame, 0, capabilities.blockSize)
        }
        const taken = queue.submit(commands)
        for (const cookie of cookies.slice(taken)) {
          pool.release(writing.get(cookie) as number)
          writing.delete(cookie)
        }
        return taken
      },
      /** Sends packets by every queue; returns how many went. */
      send: (count: number) => context.queues.reduce((sum, queue) => sum + send(queue, count), 0),
      persist() {
        const [region] = context.persistent
        region.persist([0, region.byteLength])
      },
      flood(on: boolean) {
        flooding = on
        longestGap = 0
        lastAt = 0
      },
      /** Keeps its thread busy until told otherwise: 1 in the word says that it does, 2 that it shall not any more. */
      hog(buffer: SharedArrayBuffer) {
        const word = new Int32Array(buffer)
        Atomics.store(word, 0, 1)
        while (Atomics.load(word, 0) !== 2);
      },
      crash() {
        setImmediate(() => {
          throw new ParakernelError('EIO', 'as it was told')
        })
      },
    },
    onGrant(lease) {
      if (data.refuseGrants) throw new ParakernelError('EPERM', 'wants nothing')
      events.push(`grant ${lease.id}`)
      if (lease.kind === 'block-queue') blocks.add(lease.queue)
    },
    ...(onRevoke !== undefined && {
      async onRevoke({ id }: HeldLease) {
        events.push(`revoke ${id}`)
        if (onRevoke === 'ignore') await new Promise(() => {})
        if (onRevoke === 'fail') throw new Error('as the script says')
        await whenDone()
      },
    }),
    onTaken({ id }) {
      events.push(`taken ${id}`)
    },
    stop() {
      loop.remove(pollable)
    },
  }
}
