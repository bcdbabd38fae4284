// What a round of the loop costs by itself, on the host's clock.
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { type Pollable, RunLoop } from '../src/index.ts'

const ROUNDS = 200_000

const quiet = (): Pollable => ({ poll: () => 0, wake: { kind: 'none' }, arm: () => false })

function roundOver(pollables: number): number {
  const loop = new RunLoop({ wait: { kind: 'spin' } })
  for (let i = 0; i < pollables; i++) loop.add(quiet())
  loop.timers.at(Infinity, () => {})
  return bestNanoseconds(ROUNDS, (rounds) => {
    for (let i = 0; i < rounds; i++) loop.runOnce()
  })
}

const counts = [0, 1, 4, 16]
await benchCases(
  import.meta,
  { title: 'a round of the loop', unit: 'ns', better: 'less' },
  Object.fromEntries(counts.map((count) => [`over ${count} quiet pollables`, () => roundOver(count)])),
)
