import { BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TestBed } from '../support/test-bed.ts'

const QUEUES = 3
const RUNS = process.env['PARAKERNEL_LONG'] === '1' ? 2000 : 40

/** What the driver must look like from outside. */
interface Model {
  readonly open: Set<number>
  removed: boolean
}

type Command = fc.AsyncCommand<Model, TestBed>

class Open implements Command {
  readonly queue: number
  constructor(queue: number) {
    this.queue = queue
  }
  check = ({ open, removed }: Readonly<Model>) => !open.has(this.queue) && !removed
  async run(model: Model, bed: TestBed): Promise<void> {
    if (bed.device.state !== 'ready') {
      expect(() => bed.open(this.queue)).toThrow()
      return
    }
    try {
      bed.open(this.queue)
    } catch (error) {
      // The controller may have died unseen: then this is what finds it.
      refused(error)
      return
    }
    model.open.add(this.queue)
  }
  toString = () => `open(${this.queue})`
}

class Reclaim implements Command {
  readonly queue: number
  constructor(queue: number) {
    this.queue = queue
  }
  check = ({ open }: Readonly<Model>) => open.has(this.queue)
  async run(model: Model, bed: TestBed): Promise<void> {
    bed.reclaim(this.queue)
    model.open.delete(this.queue)
    // When a queue is taken back nothing of it is left outstanding.
    expect([...bed.outstanding.values()].filter((queue) => queue === this.queue)).toEqual([])
  }
  toString = () => `reclaim(${this.queue})`
}

class Submit implements Command {
  readonly queue: number
  readonly count: number
  readonly opcode: number
  constructor(queue: number, count: number, opcode: number) {
    this.queue = queue
    this.count = count
    this.opcode = opcode
  }
  check = ({ open }: Readonly<Model>) => open.has(this.queue)
  async run(_: Model, bed: TestBed): Promise<void> {
    const before = [...bed.outstanding.values()].filter((queue) => queue === this.queue).length
    const taken = bed.submit(this.queue, this.count, this.opcode)
    expect(before + taken).toBeLessThanOrEqual(15)
  }
  toString = () => `submit(${this.queue}, ${this.count}, ${this.opcode})`
}

class Fault implements Command {
  readonly action: Parameters<TestBed['controller']['faults']['add']>[0]['action']
  readonly after: number
  constructor(action: Fault['action'], after: number) {
    this.action = action
    this.after = after
  }
  check = () => true
  async run(_: Model, bed: TestBed): Promise<void> {
    bed.controller.faults.add({ action: this.action, after: this.after })
  }
  toString = () => `fault(${JSON.stringify(this.action)}, after ${this.after})`
}

class Do implements Command {
  readonly name: string
  readonly #act: (bed: TestBed, model: Model) => unknown
  constructor(name: string, act: (bed: TestBed, model: Model) => unknown) {
    this.name = name
    this.#act = act
  }
  check = () => true
  async run(model: Model, bed: TestBed): Promise<void> {
    await this.#act(bed, model)
    expect(bed.strays).toBe(0)
  }
  toString = () => this.name
}

const refused = (error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/^E[A-Z]+$/) })
const queue = fc.integer({ min: 0, max: QUEUES - 1 })
const completions = [
  'lost',
  'twice',
  'wrong-identifier',
  'wrong-queue',
  'wrong-head',
  'rubbish',
  'wrong-phase',
] as const

const commands = [
  queue.map((q) => new Open(q)),
  queue.map((q) => new Open(q)),
  queue.map((q) => new Reclaim(q)),
  fc
    .tuple(queue, fc.integer({ min: 1, max: 20 }), fc.constantFrom(BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH))
    .map(([q, count, opcode]) => new Submit(q, count, opcode)),
  fc
    .tuple(queue, fc.integer({ min: 1, max: 20 }), fc.constantFrom(BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH))
    .map(([q, count, opcode]) => new Submit(q, count, opcode)),
  fc
    .tuple(
      fc.oneof(
        fc.constantFrom<Fault['action']>(
          { hang: 'until-abort' },
          { hang: 'for-ever' },
          { status: 0x281 },
          { status: 0x006 },
          { delay: 150e6 },
          { controller: 'fatal' },
        ),
        fc.constantFrom(...completions).map((completion) => ({ completion })),
      ),
      fc.integer({ min: 0, max: 6 }),
    )
    .map(([action, after]) => new Fault(action, after)),
  fc.constant(new Do('poll', (bed) => bed.poll())),
  fc.integer({ min: 1, max: 300 }).map((ms) => new Do(`pass(${ms})`, (bed) => bed.pass(ms))),
  fc.constant(new Do('reset', (bed) => bed.device.reset().catch(refused))),
  fc.constant(
    new Do('start a reset', (bed) => {
      bed.device.reset().catch(refused)
    }),
  ),
  fc.constant(new Do('yield', () => new Promise((resolve) => setImmediate(resolve)))),
  fc.constant(new Do('ask', (bed) => bed.device.health.smart().catch(refused))),
  fc.constant(new Do('fatal', (bed) => bed.controller.fail())),
  fc.constant(new Do('power cut', (bed) => bed.controller.powerCut(() => 0.3))),
]
const removal = fc.constant(
  new Do('remove', (bed, model) => {
    bed.controller.remove()
    model.removed = true
  }),
)

test(`whatever happens in whatever order, nothing is lost or completed twice: ${RUNS} stories`, {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands([...commands, removal], { maxCommands: 40 }),
      fc.constantFrom(0, 2e6, 40e6),
      async (story, latency) => {
        const bed = await TestBed.open({ latency, reorder: latency > 0 }, { retries: 5 })
        try {
          await fc.asyncModelRun(() => ({ model: { open: new Set<number>(), removed: false }, real: bed }), story)
          bed.controller.faults.clear()
          await bed.settle(5000)
          expect(bed.outstanding.size).toBe(0)
          expect(bed.strays).toBe(0)
        } finally {
          await bed.close().catch(refused)
        }
        expect(bed.outstanding.size).toBe(0)
        expect(bed.strays).toBe(0)
        expect(bed.controller.bus.mappings).toBe(0)
        const { identifierConflicts, dmaFaults, doorbellsOutOfRange, misalignedPointers } =
          bed.controller.health.counters
        expect({ identifierConflicts, dmaFaults, doorbellsOutOfRange, misalignedPointers }).toEqual({
          identifierConflicts: 0,
          dmaFaults: 0,
          doorbellsOutOfRange: 0,
          misalignedPointers: 0,
        })
      },
    ),
    { numRuns: RUNS },
  )
})

test('unplugged at any register access of any story: ENODEV, and nothing is lost', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands(commands, { maxCommands: 25 }),
      fc.integer({ min: 0, max: 300 }),
      async (story, accesses) => {
        const bed = await TestBed.open({ latency: 1e6 })
        bed.controller.removeAfter(accesses)
        try {
          // Opening a queue may be what finds the device gone.
          await fc
            .asyncModelRun(() => ({ model: { open: new Set<number>(), removed: false }, real: bed }), story)
            .catch(refused)
          bed.controller.remove()
          await bed.settle(5000)
          expect(bed.outstanding.size).toBe(0)
          expect(bed.strays).toBe(0)
          bed.device.watch()
          expect(bed.device.state).toMatch(/^(removed|failed)$/)
        } finally {
          await bed.close().catch(refused)
        }
      },
    ),
    { numRuns: RUNS },
  )
})
