import { EmulatedPersistentMemory } from '@parakernel/emulated'
import { attachPersistentRegion, VirtualClock } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crashState, crashStates, type Mutation, recordPersistent } from '../../src/index.ts'

const LINE = 64
/** Words of two lines that the random histories store to. */
const WORDS = [0, 1, 8]

async function open(options: { readonly mutation?: Mutation } = {}, granularity: 1 | 64 | 4096 = 64) {
  const memory = new EmulatedPersistentMemory({ size: 4096, granularity })
  const { device, recording } = recordPersistent(memory, options)
  const grant = device.grant({ byteOffset: 0, byteLength: 4096 })
  const region = await attachPersistentRegion(grant, { clock: new VirtualClock() })
  const words = new BigUint64Array(region.region.buffer, region.byteOffset, 512)
  return { memory, device, region, recording, words }
}

const valuesOf = (image: Uint8Array) => {
  const words = new BigUint64Array(image.buffer, image.byteOffset, 16)
  return WORDS.map((word) => Number(words[word])).join(' ')
}

type Step = { readonly kind: 'store' | 'flush' | 'drain'; readonly at: number }

/** Every image by the definition: of each word any version from the last durable one on, independent of the others. */
function naive(steps: readonly Step[], position: number): Set<string> {
  const versions = WORDS.map(() => [0])
  const durable = WORDS.map(() => 0)
  const staged = WORDS.map(() => 0)
  let events = 0
  let value = 0
  for (const { kind, at } of steps) {
    if (kind === 'store') {
      // Before the next event, so that a cut at this position may find it.
      versions[at].push(++value)
      continue
    }
    if (events === position) break
    events++
    if (kind === 'flush') {
      const line = Math.floor(WORDS[at] / 8)
      for (const [i, word] of WORDS.entries()) if (Math.floor(word / 8) === line) staged[i] = versions[i].length - 1
    } else for (const i of WORDS.keys()) durable[i] = staged[i]
  }
  const images = new Set<string>()
  const choose = (i: number, chosen: readonly number[]) => {
    if (i === WORDS.length) images.add(chosen.join(' '))
    else for (const version of versions[i].slice(durable[i])) choose(i + 1, [...chosen, version])
  }
  choose(0, [])
  return images
}

test('the enumeration is what a naive model finds', async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom('store', 'store', 'flush', 'drain'),
    at: fc.integer({ min: 0, max: WORDS.length - 1 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (list) => {
      // A word is stored to once between two events: the recorder sees memory only there.
      const steps: Step[] = []
      let stored = new Set<number>()
      for (const one of [...list, { kind: 'drain', at: 0 } as const]) {
        if (one.kind !== 'store') stored = new Set()
        else if (stored.has(one.at)) continue
        else stored.add(one.at)
        steps.push(one)
      }
      const { device, region, recording, words } = await open()
      let value = 0n
      for (const { kind, at } of steps) {
        if (kind === 'store') words[WORDS[at]] = ++value
        else if (kind === 'flush') region.flush([WORDS[at] * 8, 8])
        else region.drain()
      }
      const found = new Map<number, Set<string>>()
      for (const state of crashStates(recording, { limit: Number.POSITIVE_INFINITY })) {
        const images = found.get(state.position) ?? new Set()
        found.set(state.position, images.add(valuesOf(state.image())))
      }
      for (let at = 0; at <= recording.position; at++) {
        expect([...(found.get(at) ?? [])].sort(), `position ${at}`).toEqual([...naive(steps, at)].sort())
      }
      await device.close()
    }),
    { numRuns: 200 },
  )
})

describe('a toy log: record, persist, then its count, persist', () => {
  const run = async (broken: boolean, options: { readonly mutation?: Mutation } = {}) => {
    const { memory, region, recording, words, device } = await open(options)
    const promised: number[] = []
    for (let n = 1; n <= 4; n++) {
      words[n * 8] = BigInt(100 + n)
      words[n * 8 + 1] = BigInt(200 + n)
      if (!broken) region.persist([n * LINE, 16])
      words[0] = BigInt(n)
      region.flush(broken ? [0, 8, n * LINE, 16] : [0, 8])
      region.drain()
      promised.push(recording.position)
    }
    const failures: string[] = []
    for (const state of crashStates(recording)) {
      const image = new BigUint64Array(state.image().buffer, 0, 64)
      const count = Number(image[0])
      let intact = true
      for (let n = 1; n <= count; n++) {
        if (image[n * 8] !== BigInt(100 + n) || image[n * 8 + 1] !== BigInt(200 + n)) intact = false
      }
      if (!intact || count < promised.filter((at) => at <= state.position).length) failures.push(state.name)
    }
    for (const name of failures.slice(0, 3)) expect(crashState(recording, name).name).toBe(name)
    await device.close()
    expect(memory.durable[LINE]).toBe(101)
    return { failures, promises: recording.promises }
  }

  test('holds, and is caught when both are flushed at once', async () => {
    expect((await run(false)).failures).toEqual([])
    expect((await run(true)).failures).not.toEqual([])
  })

  test('is caught when any single flush or drain does nothing', async () => {
    const { promises } = await run(false)
    expect(promises).toEqual({ flush: 8, fua: 0, drain: 8 })
    for (const drop of ['flush', 'drain'] as const) {
      for (let nth = 1; nth <= promises[drop]; nth++) {
        expect((await run(false, { mutation: { drop, nth } })).failures, `${drop} ${nth}`).not.toEqual([])
      }
    }
  })
})
