import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { WakeWord } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRing, RingConsumer, RingPollable, RingProducer, RunLoop } from '../src/index.ts'
import { FAKE_HOST_BYTES } from './helpers/fake-host.ts'
import type { RingWorkerData } from './workers/ring-worker.ts'

const wake = () => new SharedArrayBuffer(64)

function start(data: Partial<RingWorkerData> & Pick<RingWorkerData, 'role' | 'out'>): Worker {
  const defaults = { in: undefined, count: 1, batch: 1, pause: 0, wait: { kind: 'hybrid' }, host: undefined, seed: 1 }
  return new Worker(new URL('./workers/ring-worker.ts', import.meta.url), { workerData: { ...defaults, ...data } })
}

describe('ring', () => {
  it('refuses geometry that it cannot have', () => {
    const invalid = expect.objectContaining({ code: 'EINVAL' })
    for (const [slots, slotBytes] of [
      [0, 8],
      [3, 8],
      [4, 12],
      [4, 0],
      [1 << 30, 64],
    ]) {
      expect(() => createRing({ slots, slotBytes, wake: wake() })).toThrow(invalid)
    }
  })

  it('behaves like a bounded list, whatever is claimed, published, taken and released', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('claim' as const), count: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ kind: fc.constantFrom('publish' as const, 'release' as const), count: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), fc.integer({ min: 0, max: 3 }), (actions, exponent) => {
        const slots = 1 << exponent
        const ring = createRing({ slots, slotBytes: 16, wake: wake() })
        // The counts are about to wrap around int32.
        new Int32Array(ring.buffer)[0] = 0x7fff_fffd
        new Int32Array(ring.buffer)[32] = 0x7fff_fffd
        const [producer, consumer] = [new RingProducer(ring), new RingConsumer(ring)]
        const published: number[] = []
        const claimed: number[] = []
        let taken = 0
        let next = 0
        for (const { kind, count } of actions) {
          if (kind === 'publish') {
            expect(producer.publish()).toBe(claimed.length)
            published.push(...claimed.splice(0))
          } else if (kind === 'release') {
            expect(consumer.release()).toBe(taken)
            taken = 0
          } else {
            for (let i = 0; i < count; i++) {
              if (kind === 'claim') {
                const room = slots - claimed.length - published.length - taken
                expect(producer.room).toBe(room)
                const at = producer.claim()
                expect(at >= 0).toBe(room > 0)
                if (at < 0) continue
                producer.words[at >> 2] = next
                producer.bytes[at + 15] = next & 255
                claimed.push(next++)
              } else {
                expect(consumer.available).toBe(published.length)
                expect(consumer.arm()).toBe(published.length > 0)
                const at = consumer.take()
                const expected = published.shift()
                if (expected === undefined) expect(at).toBe(-1)
                else {
                  expect(consumer.words[at >> 2]).toBe(expected)
                  expect(consumer.bytes[at + 15]).toBe(expected & 255)
                  taken++
                }
              }
            }
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('wakes only sleepers', () => {
    const buffer = wake()
    const producer = new RingProducer(createRing({ slots: 8, slotBytes: 8, wake: buffer }))
    const word = new WakeWord(buffer)
    const sequence = word.announce()
    word.cancel()
    producer.publish()
    expect(Atomics.load(word.words, 0)).toBe(sequence)
    producer.claim()
    producer.publish()
    expect(Atomics.load(word.words, 0)).toBe(sequence + 1)
  })

  it('gives its pollable bounded batches', () => {
    const ring = createRing({ slots: 128, slotBytes: 8, wake: wake() })
    const producer = new RingProducer(ring)
    const seen: number[] = []
    const consumer = new RingConsumer(ring)
    const pollable = new RingPollable(consumer, (at) => seen.push(consumer.words[at >> 2]))
    for (let i = 0; i < 100; i++) producer.words[producer.claim() >> 2] = i
    producer.publish()
    expect([pollable.poll(), pollable.poll(), pollable.poll(), pollable.poll(), pollable.poll()]).toEqual([
      32, 32, 32, 4, 0,
    ])
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('carries a million messages between threads: none lost, doubled, torn or out of order', async () => {
    const count = 1_000_000
    const ring = createRing({ slots: 256, slotBytes: 64, wake: wake() })
    const producer = start({ role: 'produce', out: ring, count, batch: 64 })
    const exit = once(producer, 'exit')
    const consumer = new RingConsumer(ring)
    const loop = new RunLoop()
    let expected = 0
    let wrong = 0
    loop.add(
      new RingPollable(consumer, (at) => {
        if (consumer.words[at >> 2] !== expected || consumer.words[(at + 60) >> 2] !== ~expected) wrong++
        expected++
      }),
    )
    expect(loop.runUntil(() => expected === count, loop.clock.now() + 25e9)).toBe(true)
    expect(wrong).toBe(0)
    await exit
  })
})

describe('no wake-up is lost', () => {
  // Ping-pong of single messages: one lost wake-up, and both sides sleep until the deadline.
  const rallies = 5_000

  async function rally(wait: RingWorkerData['wait'], host: SharedArrayBuffer | undefined, driven: boolean) {
    const [there, back] = [wake(), wake()]
    const outgoing = createRing({ slots: 4, slotBytes: 8, wake: there })
    const incoming = createRing({ slots: 4, slotBytes: 8, wake: back })
    const worker = start({ role: 'echo', in: outgoing, out: incoming, count: rallies, wait, host })
    const report = once(worker, 'message')
    const { fakeHost } = await import('./helpers/fake-host.ts')
    const producer = new RingProducer(outgoing, host === undefined ? undefined : fakeHost(host))
    const consumer = new RingConsumer(incoming)
    const loop = new RunLoop({ wait })
    let returned = 0
    const serve = () => {
      const at = producer.claim()
      producer.words[at >> 2] = returned
      producer.publish()
    }
    loop.add(
      new RingPollable(consumer, (at) => {
        expect(consumer.words[at >> 2]).toBe(returned)
        if (++returned < rallies) loop.defer(serve)
      }),
    )
    serve()
    if (driven) {
      loop.start('guest')
      while (returned < rallies) await new Promise((resolve) => setTimeout(resolve, 5))
      loop.close()
    } else expect(loop.runUntil(() => returned === rallies, loop.clock.now() + 25e9)).toBe(true)
    const [{ done, sleeps }] = await report
    expect(done).toBe(true)
    return sleeps as number
  }

  it('on a word, sleeping at once', async () => {
    expect(await rally({ kind: 'sleep' }, undefined, false)).toBeGreaterThan(rallies / 10)
  })

  it('on a word, at the edge of sleep', async () => {
    await rally({ kind: 'hybrid', spin: 2_000 }, undefined, false)
  })

  it('in poll(2), by the eventfd of the word', async () => {
    expect(await rally({ kind: 'sleep' }, new SharedArrayBuffer(FAKE_HOST_BYTES), false)).toBeGreaterThan(rallies / 10)
  })

  it("in Node's own loop", async () => {
    await rally({ kind: 'sleep' }, undefined, true)
  })
})
