import { VirtualClock } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { createRing, type Pollable, RingConsumer, RingProducer, RunLoop, TimerWheel } from '../src/index.ts'
import { gcCount } from './helpers/gc-count.ts'

const MILLION = 1_000_000

/**
 * Compiles `body` by running it, then counts collections over one more run: the least of three, because the engine compiles in the
 * background, and on a machine under load may not be done by then. What allocates does so in each of them.
 */
async function collections(body: () => void): Promise<number> {
  for (let i = 0; i < 3; i++) body()
  let least = await gcCount(body)
  for (let i = 0; i < 2 && least > 0; i++) least = Math.min(least, await gcCount(body))
  return least
}

describe('no allocation', () => {
  it('per round', async () => {
    const loop = new RunLoop({ clock: new VirtualClock(0.5) })
    let polls = 0
    const pollable = (): Pollable => ({
      poll: () => ++polls & 1,
      wake: { kind: 'none' },
      arm: () => false,
    })
    loop.add(pollable())
    loop.add(pollable())
    const task = () => {}
    expect(
      await collections(() => {
        for (let i = 0; i < MILLION; i++) {
          loop.defer(task)
          loop.runOnce()
        }
      }),
    ).toBe(0)
  })

  it('per round that goes by shares', async () => {
    // A time that is a small integer, as below: another one is boxed for each call that takes it.
    const loop = new RunLoop({ clock: new VirtualClock(1) })
    let polls = 0
    const pollable = (): Pollable => ({ poll: () => ++polls & 1, wake: { kind: 'none' }, arm: () => false })
    loop.add(pollable())
    loop.add(pollable())
    loop.add(pollable(), 'other')
    expect(
      await collections(() => {
        for (let i = 0; i < 100_000; i++) loop.runOnce()
      }),
    ).toBe(0)
  })

  it('per ring message', async () => {
    const ring = createRing({ slots: 64, slotBytes: 64, wake: new SharedArrayBuffer(64) })
    const [producer, consumer] = [new RingProducer(ring), new RingConsumer(ring)]
    let sum = 0
    expect(
      await collections(() => {
        for (let i = 0; i < MILLION; i += 32) {
          for (let j = 0; j < 32; j++) producer.words[producer.claim() >> 2] = j
          producer.publish()
          for (let at = consumer.take(); at >= 0; at = consumer.take()) sum += consumer.words[at >> 2]
          consumer.release()
        }
      }),
    ).toBe(0)
    expect(sum).toBe(4 * (MILLION / 32) * 496)
  })

  // Times below 2^31, which are small integers to the engine: a larger one is boxed when it is passed to a function, 16
  // bytes for each call, and that is the caller's.
  it('per timer that is set, cancelled, fired or set again', async () => {
    const clock = new VirtualClock()
    const timers = new TimerWheel(clock)
    let fired = 0
    const task = () => {
      fired++
    }
    timers.every(250, task)
    let time = 0
    expect(
      await collections(() => {
        for (let i = 0; i < MILLION; i++) {
          timers.cancel(timers.at(time + 500_000, task))
          timers.at(time + 170, task)
          time += 250
          timers.run(time)
        }
      }),
    ).toBe(0)
    expect(fired).toBe(8 * MILLION)
  })
})
