import type { Host } from '@parakernel/hal'
import { WakeWord } from '@parakernel/hal'
import { createHost } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Pollable, RunLoop, wake } from '../src/index.ts'
import { percentile } from './helpers/load.ts'

let host: Host
let fd: number
let unavailable: string | undefined

beforeEach(() => {
  try {
    host = createHost()
    fd = host.createEventFd()
    unavailable = undefined
  } catch (error) {
    unavailable = (error as Error).message
  }
})

afterEach(() => {
  if (unavailable === undefined) host.closeFd(fd)
})

/** A queue behind a descriptor: each time that it is ready is a piece of work. */
function descriptorQueue(): Pollable & { received: number } {
  return {
    received: 0,
    wake: { kind: 'descriptor', fd },
    poll() {
      if (!host.readEventFd(fd)) return 0
      this.received++
      return 1
    },
    arm: () => false,
  }
}

describe('on Linux', () => {
  it("a guest is woken by a descriptor through Node's own loop", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable)
    const loop = new RunLoop({ host, wait: { kind: 'sleep' } })
    const queue = descriptorQueue()
    loop.add(queue)
    loop.start('guest')
    const times: number[] = []
    for (let i = 1; i <= 50; i++) {
      await new Promise((resolve) => setTimeout(resolve, 3))
      const rounds = loop.counters.get('rounds')
      const start = performance.now()
      host.writeEventFd(fd)
      while (queue.received < i) await new Promise(setImmediate)
      times.push(performance.now() - start)
      expect(loop.counters.get('rounds') - rounds).toBeLessThan(10)
    }
    console.log(`from event to poll: p50 ${(percentile(times, 50) * 1000).toFixed(0)} us`)
    expect(percentile(times, 50)).toBeLessThan(1)
    loop.close()
  })

  it('a blocked thread is woken by a descriptor, and by a word through its eventfd', async (context) => {
    if (unavailable !== undefined) context.skip(unavailable)
    const buffer = new SharedArrayBuffer(64)
    const loop = new RunLoop({ host, wait: { kind: 'sleep' }, wake: buffer })
    const queue = descriptorQueue()
    loop.add(queue)
    host.writeEventFd(fd)
    expect(loop.runUntil(() => queue.received === 1, loop.clock.now() + 1e9)).toBe(true)
    // The waker is an alarm in this very thread: nobody else is needed to see that poll(2) ends.
    let notified = 0
    const word = new WakeWord(buffer)
    loop.add({
      wake: { kind: 'word', word },
      poll: () => 0,
      arm() {
        // Asleep in all but the last step: announced, and armed.
        notified++
        wake(word, host)
        return false
      },
    })
    const start = loop.clock.now()
    loop.runUntil(() => notified >= 10, start + 5e9)
    expect(notified).toBe(10)
    expect(loop.clock.now() - start).toBeLessThan(1e9)
    expect(loop.counters.get('sleeps')).toBeGreaterThanOrEqual(9)
    loop.close()
    expect(word.eventFd).toBe(-1)
  })
})
