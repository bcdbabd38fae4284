// What a timer costs with many others pending.
import { VirtualClock } from '@parakernel/hal'
import { type BenchCase, benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { type TimerId, TimerWheel } from '../src/index.ts'

const OPERATIONS = 100_000

const task = () => {}

function wheelWith(pending: number) {
  const clock = new VirtualClock()
  const timers = new TimerWheel(clock)
  let random = 1
  const delay = () => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return 200_000_000 + random * 4
  }
  for (let i = 0; i < pending; i++) timers.at(clock.now() + 1e12 + delay(), task)
  return { clock, timers, delay }
}

function setAndCancel(pending: number): number {
  const { clock, timers, delay } = wheelWith(pending)
  return bestNanoseconds(OPERATIONS, (operations) => {
    for (let i = 0; i < operations; i++) timers.cancel(timers.at(clock.now() + delay(), task))
  })
}

function moveDeadline(pending: number): number {
  const { clock, timers, delay } = wheelWith(pending)
  const ids: TimerId[] = Array.from({ length: 10_000 }, () => timers.at(clock.now() + delay(), task))
  return bestNanoseconds(OPERATIONS, (operations) => {
    for (let i = 0; i < operations; i++) {
      const at = i % ids.length
      timers.cancel(ids[at])
      ids[at] = timers.at(clock.now() + delay(), task)
    }
  })
}

function setAndFire(pending: number): number {
  const { clock, timers, delay } = wheelWith(pending)
  return bestNanoseconds(OPERATIONS, (operations) => {
    for (let i = 0; i < operations; i++) timers.at(clock.now() + (delay() & 0xff_ffff), task)
    const end = clock.now() + 0x100_0000
    while (clock.now() < end) {
      clock.advance(10_000)
      timers.run(clock.now())
    }
  })
}

/** Of a million timers over four seconds, in steps of 10 us, all that are set and fired. */
function fireMillion(slack: number): number {
  const count = 1_000_000
  return bestNanoseconds(
    count,
    () => {
      const { clock, timers, delay } = wheelWith(0)
      for (let i = 0; i < count; i++) timers.at(clock.now() + (delay() & 0xffff_ffff), task, slack)
      while (timers.size > 0) {
        clock.advance(10_000)
        timers.run(clock.now())
      }
    },
    3,
  )
}

function nothingDue(): number {
  const timers = new TimerWheel(new VirtualClock())
  timers.at(1e15, task)
  return bestNanoseconds(1_000_000, (operations) => {
    for (let i = 0; i < operations; i++) timers.run(i)
  })
}

const cases: Record<string, BenchCase> = { 'a round with nothing due': nothingDue }
for (const pending of [0, 1_000, 1_000_000]) {
  cases[`set and cancel, ${pending} pending`] = () => setAndCancel(pending)
  cases[`move a deadline, ${pending} pending`] = () => moveDeadline(pending)
  cases[`set and fire, ${pending} pending`] = () => setAndFire(pending)
}
cases['set and fire a million'] = () => fireMillion(0)
cases['set and fire a million with a slack of 1 ms'] = () => fireMillion(1e6)
await benchCases(import.meta, { title: 'timers', unit: 'ns', better: 'less' }, cases)
