// What a timer costs with many others pending: nanoseconds an operation, the best of several trials.
import { VirtualClock } from '@parakernel/hal'
import { type TimerId, TimerWheel } from '../src/index.ts'

const TRIALS = 15

function measure(name: string, operations: number, run: () => void): void {
  let best = Infinity
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now()
    run()
    best = Math.min(best, ((performance.now() - start) * 1e6) / operations)
  }
  console.log(`${name.padEnd(52)} ${best.toFixed(1).padStart(8)} ns`)
}

const task = () => {}

for (const pending of [0, 1_000, 1_000_000]) {
  const clock = new VirtualClock()
  const timers = new TimerWheel(clock)
  let random = 1
  const delay = () => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return 200_000_000 + random * 4
  }
  for (let i = 0; i < pending; i++) timers.at(clock.now() + 1e12 + delay(), task)

  measure(`set and cancel, ${pending} pending`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) timers.cancel(timers.at(clock.now() + delay(), task))
  })

  const ids: TimerId[] = Array.from({ length: 10_000 }, () => timers.at(clock.now() + delay(), task))
  measure(`move a deadline (cancel and set), ${pending} pending`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) {
      const at = i % ids.length
      timers.cancel(ids[at])
      ids[at] = timers.at(clock.now() + delay(), task)
    }
  })
  for (const id of ids) timers.cancel(id)

  measure(`set and fire, ${pending} pending`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) timers.at(clock.now() + (delay() & 0xff_ffff), task)
    const end = clock.now() + 0x100_0000
    while (clock.now() < end) {
      clock.advance(10_000)
      timers.run(clock.now())
    }
  })
}

{
  const timers = new TimerWheel(new VirtualClock())
  timers.at(1e15, task)
  measure('a round with nothing due', 1_000_000, () => {
    for (let i = 0; i < 1_000_000; i++) timers.run(i)
  })
}
