import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainWindow, WakeWord } from '@parakernel/hal'
import { createHost } from '@parakernel/linux'
import { type Pollable, RunLoop, spawnPartition, type WaitPolicy } from '../../src/index.ts'

// A process of its own, so that nothing else is counted: prints the share of a core that an idle partition uses.

const [what, policy] = process.argv.slice(2)
const wait: WaitPolicy = { kind: policy as WaitPolicy['kind'] }

async function worker(descriptor: number | undefined) {
  const handle = spawnPartition({
    name: 'idle',
    index: 0,
    partitions: 1,
    module: new URL('./idle-partition.ts', import.meta.url).href,
    grants: [],
    window: createPlainWindow(8),
    heap: { byteOffset: 0, byteLength: 0 },
    incoming: [],
    outgoing: [],
    cpu: undefined,
    wait,
    hostModule: descriptor === undefined ? undefined : import.meta.resolve('@parakernel/linux'),
    data: { descriptor },
  })
  await handle.ready
  return () => handle.statistics().loop
}

function guest(wake: Pollable['wake']) {
  const loop = new RunLoop({ wait, ...(wake.kind === 'descriptor' ? { host: createHost() } : {}) })
  loop.add({ poll: () => 0, arm: () => false, wake })
  loop.timers.every(100_000_000, () => {})
  loop.start('guest')
  return () => loop.counters.snapshot()
}

const cases: Record<string, () => unknown> = {
  'worker-word': () => worker(undefined),
  'worker-descriptor': () => worker(createHost().createEventFd()),
  'guest-word': () => guest({ kind: 'word', word: new WakeWord(new SharedArrayBuffer(64)) }),
  'guest-descriptor': () => guest({ kind: 'descriptor', fd: createHost().createEventFd() }),
}

const statistics = (await cases[what]()) as () => Record<string, number>
await sleep(300)
let share = Infinity
let rounds = 0
for (let i = 0; i < 4; i++) {
  const start = performance.now()
  const before = process.cpuUsage()
  const roundsBefore = statistics().rounds
  await sleep(500)
  const { user, system } = process.cpuUsage(before)
  share = Math.min(share, (user + system) / 1000 / (performance.now() - start))
  rounds = statistics().rounds - roundsBefore
}
console.log(JSON.stringify({ share, rounds }))
process.exit()
