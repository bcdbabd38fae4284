import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeRecords, openRecords, RecordBatch, type RecordSnapshot, type RecordStore } from '../../src/index.ts'
import { plainMemory } from '../support/crash.ts'
import { createPersistentRig, createRig, type Rig } from '../support/rig.ts'
import { entriesOf } from './support/oracle.ts'

const LONG = process.env.PARAKERNEL_LONG === '1'
const bytesOf = (text: string) => Buffer.from(text, 'latin1')

type Command =
  | { readonly do: 'put' | 'delete' | 'get' | 'getNow'; readonly key: number; readonly size: number }
  | { readonly do: 'batch'; readonly keys: readonly number[]; readonly size: number }
  | {
      readonly do: 'clear' | 'scan'
      readonly key: number
      readonly to: number
      readonly reverse: boolean
      readonly limit: number
    }
  | { readonly do: 'snapshot' | 'release' | 'compact' | 'checkpoint' | 'reopen' }

const key = fc.integer({ min: 0, max: 40 })
const size = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 1, arbitrary: fc.constant(3000) },
)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('put', 'put', 'delete', 'get', 'getNow'), key, size }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('batch' as const), keys: fc.array(key, { maxLength: 12 }), size }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('clear', 'scan', 'scan'),
      key,
      to: key,
      reverse: fc.boolean(),
      limit: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 10 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('snapshot', 'release', 'compact', 'checkpoint', 'reopen') }),
  },
)

/** Keys of different lengths, some of them beginnings of others. */
const nameOf = (n: number) => `${'ab'.repeat(n % 4)}${n}`
const textFor = (n: number, size: number, step: number) =>
  `${step}:${n}:`.padEnd(size, String.fromCharCode(97 + (step % 26)))

interface Held {
  readonly snapshot: RecordSnapshot
  readonly content: ReadonlyMap<string, string>
}

/** Runs commands on a store and on a plain map, which always have to agree. */
async function check(rig: Rig, commands: readonly Command[]): Promise<void> {
  await makeRecords(rig.medium)
  let store = await openRecords(rig.medium, { cacheBytes: 2048 })
  const model = new Map<string, string>()
  let held: Held[] = []
  for (const [step, one] of commands.entries()) {
    if (one.do === 'put') {
      model.set(nameOf(one.key), textFor(one.key, one.size, step))
      await store.put(bytesOf(nameOf(one.key)), bytesOf(textFor(one.key, one.size, step)))
    } else if (one.do === 'delete') {
      model.delete(nameOf(one.key))
      await store.delete(bytesOf(nameOf(one.key)))
    } else if (one.do === 'get' || one.do === 'getNow') {
      const name = bytesOf(nameOf(one.key))
      const value = one.do === 'get' ? await store.get(name) : store.getNow(name)
      expect(value && Buffer.from(value).toString('latin1')).toBe(model.get(nameOf(one.key)))
      for (const { snapshot, content } of held) {
        const old = await store.get(name, snapshot)
        expect(old && Buffer.from(old).toString('latin1')).toBe(content.get(nameOf(one.key)))
      }
    } else if (one.do === 'batch') {
      const batch = new RecordBatch()
      for (const n of one.keys) {
        if (n % 3 === 0) {
          batch.delete(bytesOf(nameOf(n)))
          model.delete(nameOf(n))
        } else {
          batch.put(bytesOf(nameOf(n)), bytesOf(textFor(n, one.size, step)))
          model.set(nameOf(n), textFor(n, one.size, step))
        }
      }
      await store.write(batch)
    } else if (one.do === 'clear' || one.do === 'scan') await ranged(store, model, held, one)
    else if (one.do === 'snapshot') held.push({ snapshot: store.snapshot(), content: new Map(model) })
    else if (one.do === 'release') held.shift()?.snapshot.release()
    else if (one.do === 'compact') await store.compact()
    else if (one.do === 'checkpoint') await store.checkpoint()
    else {
      held = []
      await store.close()
      store = await openRecords(rig.medium, { cacheBytes: 2048 })
    }
  }
  expect(await entriesOf(store)).toEqual(sorted(model))
  expect(store.usage.keys).toBe(model.size)
  const live = sorted(model).reduce((sum, [name, value]) => sum + 12 + name.length + value.length, 0)
  for (const { snapshot } of held) snapshot.release()
  expect(store.usage.liveBytes).toBe(live)
  await store.close()
}

async function ranged(
  store: RecordStore,
  model: Map<string, string>,
  held: readonly Held[],
  one: Extract<Command, { reverse: boolean }>,
): Promise<void> {
  const { reverse, limit } = one
  const [gte, lt] = [nameOf(one.key), nameOf(one.to)].sort()
  const range = { gte: bytesOf(gte), lt: bytesOf(lt), reverse }
  const wanted = (content: ReadonlyMap<string, string>) => {
    const inside = sorted(content).filter(([name]) => name >= gte && name < lt)
    return (reverse ? inside.reverse() : inside).slice(0, limit)
  }
  if (one.do === 'clear') {
    for (const [name] of wanted(model)) model.delete(name)
    await store.clear(range, limit)
    return
  }
  const views = [{ snapshot: undefined, content: model }, ...held]
  for (const { snapshot, content } of views) {
    const cursor = store.cursor(range, snapshot === undefined ? {} : { snapshot })
    const found: string[][] = []
    while (found.length < limit) {
      const { keys, values } = await cursor.next(Math.min(3, limit - found.length))
      if (keys.length === 0) break
      for (const [i, name] of keys.entries()) {
        found.push([Buffer.from(name).toString('latin1'), Buffer.from(values[i]).toString('latin1')])
      }
    }
    cursor.close()
    expect(found).toEqual(wanted(content))
  }
}

function sorted(content: ReadonlyMap<string, string>): [string, string][] {
  return [...content].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('a store agrees with a sorted map', { timeout: 600_000 }, () => {
  const commands = fc.array(command, { maxLength: 120, size: 'max' })
  const media = {
    blocks: () => createRig({ blocks: 512, blockSize: 512, volatileCache: true }),
    'persistent memory': () => createPersistentRig(262_144, {}, plainMemory),
  }
  it.for(Object.entries(media))('on %s', async ([, open]) => {
    const property = fc.asyncProperty(commands, async (list) => {
      const rig = open()
      await rig.run(check(rig, list))
    })
    await fc.assert(property, { numRuns: LONG ? 2000 : 60 })
  })
})
