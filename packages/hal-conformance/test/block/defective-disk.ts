import {
  type AttachContext,
  attachBlockQueue,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  type BlockBurst,
  type BlockCompletions,
  type BlockDevice,
  type BlockQueue,
  type BlockQueueGrant,
  type BlockRange,
  type FrameWindow,
  VirtualClock,
} from '@parakernel/hal'
import { EmulatedDisk } from '../../../emulated/src/index.ts'
import type { BlockFixture } from '../../src/index.ts'

/** What a queue may do wrong: each change is made around the calls of one that does right. */
interface Defect {
  /** Sees the burst before the device does. */
  before?(burst: BlockBurst, queue: BlockQueue): void
  /** May change what `submit` answers. */
  submitted?(burst: BlockBurst, start: number, done: number, queue: BlockQueue): number
  /** May change what `complete` answers. */
  completed?(completions: BlockCompletions, queue: BlockQueue): void
  arm?(real: boolean): boolean
  grantRange?(range: BlockRange): BlockRange
  reclaim?(device: BlockDevice, grant: BlockQueueGrant): void
}

const drop = (completions: BlockCompletions) => {
  if (completions.count > 0) completions.count--
}
let garbage: number[] = []

export const defects: Readonly<Record<string, Defect>> = {
  'loses a completion now and then': { completed: drop },
  'completes the last command twice': {
    completed: (completions) => {
      const { count } = completions
      if (count === 0 || count === completions.capacity) return
      for (const column of ['cookie', 'status', 'result'] as const)
        completions[column][count] = completions[column][count - 1]
      completions.count++
    },
  },
  'mixes up cookies': { completed: (completions) => completions.cookie.subarray(0, completions.count).fill(1) },
  'says nothing of the bytes moved': { completed: (completions) => completions.result.fill(0) },
  'finds every comparison equal': {
    completed: (completions) => {
      for (let i = 0; i < completions.count; i++) if (completions.status[i] === -84) completions.status[i] = 0
    },
  },
  'forgets to force': {
    before: (burst) => {
      for (let i = 0; i < burst.count; i++) burst.flags[i] &= ~BLOCK_FUA
    },
  },
  'reads instead of flushing': {
    before: (burst, queue) => {
      for (let i = 0; i < burst.count; i++) {
        if (burst.opcode[i] !== BLOCK_FLUSH) continue
        // Nothing but a completion: a deallocation of one block that nobody uses.
        burst.opcode[i] = 5
        burst.lba[i] = queue.grant.range.firstLba + queue.grant.range.blocks - 1
        burst.blocks[i] = 1
      }
    },
  },
  'writes one block further on': {
    before: (burst, queue) => {
      const { firstLba, blocks } = queue.grant.range
      for (let i = 0; i < burst.count; i++) {
        if (burst.opcode[i] === BLOCK_WRITE && burst.lba[i] + burst.blocks[i] < firstLba + blocks) burst.lba[i]++
      }
    },
  },
  'leaves out the last segment': {
    before: (burst) => {
      for (let i = 0; i < burst.count; i++) {
        if (burst.opcode[i] !== BLOCK_READ || burst.segmentCount[i] < 2) continue
        const last = burst.firstSegment[i] + burst.segmentCount[i] - 1
        burst.offset[last] = burst.offset[last] === 0 ? 512 : 0
      }
    },
  },
  'has a lease that is wider than asked for': {
    grantRange: ({ namespace }) => ({ namespace, firstLba: 0, blocks: 2048 }),
  },
  'does not mark what it refuses': {
    submitted: (burst, _, done) => {
      for (let i = 0; i < burst.count; i++) burst.flags[i] &= ~BLOCK_REFUSED
      return done
    },
  },
  'does not count what it refuses': {
    submitted: (burst, _, done) => {
      burst.refused = 0
      return done
    },
  },
  'says that it took everything': { submitted: (burst, start) => burst.count - start },
  'never sees work when it is armed': { arm: () => false },
  'always sees work when it is armed': { arm: () => true },
  'does not take queues back': { reclaim: () => {} },
  'makes an object for each command': {
    completed: ({ count }) => {
      for (let i = 0; i < count; i++) garbage = [i, garbage.length]
    },
  },
}

const active = new Map<string, Defect>()
let serials = 0

/** An emulated disk with a defect. */
export function defectiveFixture(defect: Defect): BlockFixture {
  const clock = new VirtualClock()
  const disk = new EmulatedDisk({ clock, blocks: 2048, blockSize: 512, queues: 2, queueDepth: 16, memoryAlignment: 64 })
  const id = String(++serials)
  active.set(id, defect)
  const device: BlockDevice = {
    name: disk.name,
    queues: disk.queues,
    capabilities: disk.capabilities,
    namespaces: disk.namespaces,
    grant: (queue: number, range: BlockRange, window: FrameWindow) => {
      const inner = disk.grant(queue, defect.grantRange?.(range) ?? range, window)
      return { ...inner, range, module: import.meta.url, transport: { id, inner } }
    },
    reclaim: (grant) => {
      const { inner } = grant.transport as Transport
      if (defect.reclaim === undefined) disk.reclaim(inner)
      else defect.reclaim(disk, inner)
    },
    statistics: () => disk.statistics(),
    close: () => disk.close(),
  }
  return {
    device,
    context: { clock },
    advance: () => clock.advance(1000),
    powerCut: () => disk.powerCut(() => 0),
    remove: () => disk.remove(),
    close: () => disk.close(),
  }
}

interface Transport {
  readonly id: string
  readonly inner: BlockQueueGrant
}

/** What `attachBlockQueue` finds in this module. */
export const blockBackend = {
  async attach(grant: BlockQueueGrant, context: AttachContext): Promise<BlockQueue> {
    const { id, inner } = grant.transport as Transport
    const queue = await attachBlockQueue(inner, context)
    const defect = active.get(id) ?? {}
    return new Proxy(queue, {
      get(target, key) {
        if (key === 'grant') return grant
        if (key === 'submit') {
          return (burst: BlockBurst, start = 0) => {
            // The submitter's columns are its own: what a defect changes is changed back.
            const kept = [burst.flags, burst.opcode, burst.lba, burst.blocks, burst.offset].map((column) =>
              column.slice(),
            )
            defect.before?.(burst, target)
            const done = target.submit(burst, start)
            const refused = burst.flags.slice()
            for (const [i, column] of [burst.opcode, burst.lba, burst.blocks, burst.offset].entries())
              column.set(kept[i + 1])
            for (let i = 0; i < burst.count; i++) burst.flags[i] = kept[0][i] | (refused[i] & BLOCK_REFUSED)
            return defect.submitted?.(burst, start, done, target) ?? done
          }
        }
        if (key === 'complete') {
          return (completions: BlockCompletions) => {
            target.complete(completions)
            defect.completed?.(completions, target)
            return completions.count
          }
        }
        if (key === 'arm' && defect.arm !== undefined) return () => defect.arm?.(target.arm())
        const value = Reflect.get(target, key, target) as unknown
        return typeof value === 'function' ? (value as (...rest: unknown[]) => unknown).bind(target) : value
      },
    })
  },
}
