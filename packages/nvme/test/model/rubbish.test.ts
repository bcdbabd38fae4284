import { EmulatedNvme, type FaultRule } from '@parakernel/emulated'
import { BLOCK_READ, ParakernelError, type RegisterWindow, VirtualClock } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type NvmeDevice, openNvme } from '../../src/index.ts'
import { randomFrom } from '../support/emulated-fixture.ts'
import { TestBed } from '../support/test-bed.ts'

const RUNS = process.env['PARAKERNEL_LONG'] === '1' ? 3000 : 50

/** An error with a code and a sentence, or a device that is sane. */
async function opensOrSays(opening: Promise<NvmeDevice>): Promise<void> {
  const opened = await opening.catch((error: unknown) => error)
  if (opened instanceof Error) {
    expect(opened).toBeInstanceOf(ParakernelError)
    expect((opened as ParakernelError).code).toMatch(/^E[A-Z]+$/)
    return
  }
  const device = opened as NvmeDevice
  const { capabilities, queues, namespaces } = device
  expect(queues).toBeGreaterThan(0)
  for (const key of ['blockSize', 'maxTransfer', 'maxSegments', 'atomicUnit', 'queueDepth'] as const) {
    expect(Number.isSafeInteger(capabilities[key]) && capabilities[key] > 0, key).toBe(true)
  }
  for (const blocks of namespaces.values()) expect(Number.isSafeInteger(blocks)).toBe(true)
  await device.close().catch((error) => expect(error).toBeInstanceOf(ParakernelError))
}

test(`random bytes for what the controller says of itself: refused, or sane, ${RUNS} times`, {
  timeout: 300_000,
}, async () => {
  const rule = fc.record({
    queue: fc.constant(0),
    opcode: fc.constantFrom(0x06, 0x06, 0x06, 0x02),
    after: fc.integer({ min: 0, max: 5 }),
    times: fc.integer({ min: 1, max: 4 }),
    action: fc.constant<FaultRule['action']>({ data: 'rubbish' }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 3 }), fc.integer(), async (rules, seed) => {
      const clock = new VirtualClock()
      const controller = new EmulatedNvme({ seed: seed >>> 0, namespaces: [{ blocks: 64 }, { blocks: 64 }] }, clock)
      for (const one of rules) controller.faults.add(one)
      await opensOrSays(openNvme(controller, { adminTimeout: 20, queues: 4 }, { clock }))
    }),
    { numRuns: RUNS },
  )
})

test(`admin completions that are wrong in every way: refused, or sane, ${RUNS} times`, {
  timeout: 300_000,
}, async () => {
  const rule = fc.record({
    queue: fc.constant(0),
    after: fc.integer({ min: 0, max: 12 }),
    times: fc.integer({ min: 1, max: 3 }),
    action: fc.oneof(
      fc
        .constantFrom('lost', 'twice', 'wrong-identifier', 'wrong-queue', 'wrong-head', 'rubbish', 'wrong-phase')
        .map((completion) => ({ completion }) as FaultRule['action']),
      fc.integer({ min: 1, max: 0x7ff }).map((status) => ({ status })),
      fc.constant<FaultRule['action']>({ hang: 'for-ever' }),
      fc.constant<FaultRule['action']>({ controller: 'fatal' }),
    ),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 3 }), fc.integer(), async (rules, seed) => {
      const clock = new VirtualClock()
      const controller = new EmulatedNvme({ seed: seed >>> 0 }, clock)
      for (const one of rules) controller.faults.add(one)
      await opensOrSays(openNvme(controller, { adminTimeout: 20 }, { clock }))
    }),
    { numRuns: RUNS },
  )
})

/** Some reads of registers are random. */
class NoisyRegisters implements RegisterWindow {
  readonly byteLength: number
  readonly #inner: RegisterWindow
  readonly #random: () => number
  noise: number

  constructor(inner: RegisterWindow, random: () => number, noise: number) {
    this.#inner = inner
    this.byteLength = inner.byteLength
    this.#random = random
    this.noise = noise
  }

  read32(offset: number): number {
    const value = this.#inner.read32(offset)
    return this.#random() < this.noise ? Math.floor(this.#random() * 0x1_0000_0000) : value
  }

  write32(offset: number, value: number): void {
    this.#inner.write32(offset, value)
  }
}

test(`registers that read as anything: refused, or sane, ${RUNS} times`, { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.constantFrom(0.02, 0.2, 1), async (seed, noise) => {
      const clock = new VirtualClock()
      const controller = new EmulatedNvme({}, clock)
      const registers = new NoisyRegisters(controller.registers, randomFrom(seed), noise)
      const { name, memory, interrupts, model } = controller
      const transport = { name, memory, interrupts, model, registers, close: () => controller.close() }
      await opensOrSays(openNvme(transport, { adminTimeout: 20 }, { clock }))
    }),
    { numRuns: Math.ceil(RUNS / 4) },
  )
})

test(`rubbish in the completion ring while commands are under way: each completes once, ${RUNS} times`, {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 15 }), async (seed, count) => {
      const random = randomFrom(seed)
      const bed = await TestBed.open({ latency: 1e6 })
      const queue = bed.open(0)
      const { region, rings, depth } = queue.grant.transport
      const words = new Int32Array(region.buffer)
      bed.submit(0, count, BLOCK_READ)
      for (let i = 0; i < 8; i++) {
        words[(rings[0].completion >>> 2) + Math.floor(random() * depth * 4)] = Math.floor(random() * 0x1_0000_0000) | 0
        bed.poll()
      }
      await bed.settle(5000)
      expect(bed.outstanding.size).toBe(0)
      expect(bed.strays).toBe(0)
      await bed.close()
    }),
    { numRuns: RUNS },
  )
})
