// What a round of the loop costs by itself: nanoseconds, the best of several trials, on the host's clock.
import { type Pollable, RunLoop } from '../src/index.ts'

const ROUNDS = 200_000

const quiet = (): Pollable => ({ poll: () => 0, wake: { kind: 'none' }, arm: () => false })

for (const count of [0, 1, 4, 16]) {
  const loop = new RunLoop({ wait: { kind: 'spin' } })
  for (let i = 0; i < count; i++) loop.add(quiet())
  loop.timers.at(Infinity, () => {})
  let best = Infinity
  for (let trial = 0; trial < 20; trial++) {
    const start = performance.now()
    for (let i = 0; i < ROUNDS; i++) loop.runOnce()
    best = Math.min(best, ((performance.now() - start) * 1e6) / ROUNDS)
  }
  console.log(`a round over ${String(count).padStart(2)} quiet pollables   ${best.toFixed(1).padStart(6)} ns`)
}
