import { writeSync } from 'node:fs'
import { BLOCK_FUA, BLOCK_WRITE } from '@parakernel/hal'
import { BLOCK, Rig } from './rig.ts'

/**
 * Writes block after block until it is killed: write `n` goes to block `n % BLOCKS` and holds its number in every word. Tells the
 * number of each write that has completed, 4 bytes each.
 */
const BLOCKS = 256
const DEPTH = 32
const [path, options] = process.argv.slice(2)
const rig = new Rig()
const user = rig.attach(await rig.open({ path, ...JSON.parse(options) }))
const words = new Int32Array(user.pool.bytes.buffer)
const busy = new Set<number>()
const free = Array.from({ length: DEPTH }, () => user.pool.allocate())
const frameOf = new Map<number, number>()
let next = Number(process.argv[4])

for (;;) {
  const commands = []
  while (free.length > 0 && !busy.has(next % BLOCKS)) {
    const frame = free.pop() as number
    const at = user.pool.address(frame) >> 2
    words.fill(next, at, at + BLOCK / 4)
    frameOf.set(next, frame)
    busy.add(next % BLOCKS)
    commands.push({
      opcode: BLOCK_WRITE,
      lba: next % BLOCKS,
      blocks: 1,
      flags: next % 16 === 0 ? BLOCK_FUA : 0,
      cookie: next,
      segments: [[frame, 0, BLOCK]] as const,
    })
    next++
  }
  if (commands.length > 0 && user.offer(commands) !== commands.length) throw new Error('not accepted')
  const n = user.queue.complete(user.done)
  if (n === 0) continue
  const told = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    if (user.done.status[i] !== 0) throw new Error(`status ${user.done.status[i]}`)
    const number = user.done.cookie[i]
    told[i] = number
    busy.delete(number % BLOCKS)
    free.push(frameOf.get(number) as number)
    frameOf.delete(number)
  }
  writeSync(1, told)
}
