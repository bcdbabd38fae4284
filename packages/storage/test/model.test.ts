import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Log, type Medium, makeLog, openLog } from '../src/index.ts'
import { plainMemory } from './support/crash.ts'
import { createPersistentRig, createRig, type Rig } from './support/rig.ts'

/** What a log should hold: an array, and the sequence of its first record. */
interface Model {
  first: number
  records: Uint8Array[]
}

interface Real {
  readonly medium: Medium
  log: Log
}

type Command = fc.AsyncCommand<Model, Real>

class Append implements Command {
  readonly size: number
  readonly level: 'buffered' | 'flushed' | 'fua'
  constructor(size: number, level: Append['level']) {
    this.size = size
    this.level = level
  }
  check = () => true
  async run(model: Model, real: Real): Promise<void> {
    const next = model.first + model.records.length
    const bytes = Uint8Array.from({ length: this.size }, (_, i) => (next * 17 + i) & 255)
    const sequence = real.log.append(bytes, this.level)
    if (sequence === -28 || sequence === -11) return
    expect(sequence).toBe(next)
    model.records.push(bytes)
  }
  toString = () => `append(${this.size}, ${this.level})`
}

class Truncate implements Command {
  readonly part: number
  constructor(part: number) {
    this.part = part
  }
  check = () => true
  async run(model: Model, real: Real): Promise<void> {
    const count = Math.floor(model.records.length * this.part)
    await real.log.truncate(model.first + count)
    model.records.splice(0, count)
    model.first += count
    expect(real.log.first).toBe(model.first)
  }
  toString = () => `truncate(${this.part})`
}

class Read implements Command {
  readonly part: number
  constructor(part: number) {
    this.part = part
  }
  check = (model: Readonly<Model>) => model.records.length > 0
  async run(model: Model, real: Real): Promise<void> {
    const i = Math.floor((model.records.length - 1) * this.part)
    expect(await real.log.read(model.first + i)).toEqual(model.records[i])
  }
  toString = () => `read(${this.part})`
}

class Scan implements Command {
  check = () => true
  async run(model: Model, real: Real): Promise<void> {
    const found: Uint8Array[] = []
    for await (const { sequence, bytes } of real.log.scan()) {
      expect(sequence).toBe(model.first + found.length)
      found.push(bytes)
    }
    expect(found).toEqual(model.records)
    expect((await real.log.scrub()).records).toBe(found.length)
  }
  toString = () => 'scan()'
}

class Reopen implements Command {
  readonly clean: boolean
  constructor(clean: boolean) {
    this.clean = clean
  }
  check = () => true
  async run(model: Model, real: Real): Promise<void> {
    if (this.clean) await real.log.close()
    else await real.log.sync()
    real.log = await openLog(real.medium, { groupLimit: 16_384 })
    expect(real.log.recovery).toMatchObject({ clean: this.clean, records: model.records.length, lost: [] })
    expect([real.log.first, real.log.next]).toEqual([model.first, model.first + model.records.length])
  }
  toString = () => `reopen(${this.clean})`
}

const commands = fc.commands(
  [
    fc
      .tuple(fc.oneof(fc.nat(60), fc.nat(4000)), fc.constantFrom('buffered', 'flushed', 'fua' as const))
      .map(([size, level]) => new Append(size, level as Append['level'])),
    fc.nat(40).map((size) => new Append(size * 13, 'flushed')),
    fc.double({ min: 0, max: 1, noNaN: true }).map((part) => new Truncate(part)),
    fc.double({ min: 0, max: 1, noNaN: true }).map((part) => new Read(part)),
    fc.constant(new Scan()),
    fc.boolean().map((clean) => new Reopen(clean)),
  ],
  { maxCommands: 60, size: 'max' },
)

const kinds: readonly [string, () => Rig][] = [
  ['blocks', () => createRig({ blocks: 128, blockSize: 512, volatileCache: true, frames: 512, frameSize: 4096 })],
  ['blocks of 4096 bytes', () => createRig({ blocks: 48, blockSize: 4096, volatileCache: true, frames: 512 })],
  ['persistent memory', () => createPersistentRig(65_536, {}, plainMemory)],
]

describe.for(kinds)('a log on %s', ([, create]) => {
  it('does what an array does', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (script) => {
        const rig = create()
        await rig.run(async () => {
          await makeLog(rig.medium)
          const log = await openLog(rig.medium, { groupLimit: 16_384 })
          await fc.asyncModelRun(
            () => ({ model: { first: 1, records: [] }, real: { medium: rig.medium, log } }),
            script,
          )
        })
      }),
      { numRuns: 40, seed: 7 },
    )
  })
})
