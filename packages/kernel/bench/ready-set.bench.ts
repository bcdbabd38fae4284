// What a round costs with many pollables of which one has work, added to the loop one by one, and in a ready set.
import { WakeWord } from '@parakernel/hal'
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { type Pollable, ReadyFlags, ReadySet, RunLoop, readyFlagsBuffer } from '../src/index.ts'

const ROUNDS = 20_000

interface Source extends Pollable {
  waiting: number
}

/** Takes what is waiting, as a ring or a memory queue does. */
const source = (): Source => ({
  waiting: 0,
  poll() {
    const taken = this.waiting
    this.waiting = 0
    return taken
  },
  wake: { kind: 'none' },
  arm() {
    return this.waiting > 0
  },
})

function eachPolled(count: number): number {
  const loop = new RunLoop({ wait: { kind: 'spin' } })
  const sources = Array.from({ length: count }, source)
  for (const one of sources) loop.add(one)
  let turn = 0
  return bestNanoseconds(ROUNDS, (rounds) => {
    for (let i = 0; i < rounds; i++) {
      turn = turn + 1 < count ? turn + 1 : 0
      sources[turn].waiting++
      loop.runOnce()
    }
  })
}

function flagged(count: number): number {
  const loop = new RunLoop({ wait: { kind: 'spin' } })
  const buffer = readyFlagsBuffer(count)
  const flags = new ReadyFlags(buffer)
  const set = new ReadySet(buffer, new WakeWord(new SharedArrayBuffer(64)))
  const sources = Array.from({ length: count }, source)
  for (const [i, one] of sources.entries()) set.add(i, one)
  loop.add(set)
  let turn = 0
  return bestNanoseconds(ROUNDS, (rounds) => {
    for (let i = 0; i < rounds; i++) {
      turn = turn + 1 < count ? turn + 1 : 0
      sources[turn].waiting++
      flags.raise(turn)
      loop.runOnce()
    }
  })
}

const cases: Record<string, () => number> = {}
for (const count of [1, 100, 1000]) {
  cases[`${count} pollables, each polled`] = () => eachPolled(count)
  cases[`${count} pollables in a ready set`] = () => flagged(count)
}
await benchCases(import.meta, { title: 'a round with one pollable ready', unit: 'ns', better: 'less' }, cases)
