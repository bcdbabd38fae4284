import { BLOCK_FLUSH, BLOCK_READ, GRANT_REMOVED } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { NvmeError, openNvme } from '../../src/index.ts'
import { TestBed } from '../support/test-bed.ts'

const statuses = (bed: TestBed) => bed.outcomes.map(({ status }) => status)

test('a command that hangs is aborted after its time: ETIMEDOUT, and the others are done', async () => {
  const bed = await TestBed.open()
  bed.open(0)
  bed.controller.faults.add({ after: 2, action: { hang: 'until-abort' } })
  expect(bed.submit(0, 5)).toBe(5)
  bed.poll()
  expect(bed.outstanding.size).toBe(1)
  await bed.settle()
  expect(statuses(bed)).toEqual([0, 0, 0, 0, -110])
  expect(bed.device.statistics().timeouts).toBe(1)
  expect(bed.device.state).toBe('ready')
  await bed.close()
})

test('a command that no abort ends takes a reset: ETIMEDOUT for it, and what was beside it is sent again', async () => {
  const bed = await TestBed.open({ latency: 1e6 })
  const resets: string[] = []
  bed.device.onEvent((event) => event.kind === 'reset' && resets.push(event.reason))
  bed.open(0)
  bed.open(1)
  bed.controller.faults.add({ queue: 1, action: { hang: 'for-ever' } })
  bed.controller.faults.add({ queue: 2, action: { delay: 290e6 } })
  bed.submit(0, 1)
  bed.submit(1, 1, BLOCK_READ)
  await bed.settle()
  expect(bed.outstanding.size).toBe(0)
  expect(bed.outcomes.find(({ cookie }) => cookie === 1)?.status).toBe(-110)
  expect(resets).toHaveLength(1)
  expect(bed.submit(0, 4)).toBe(4)
  await bed.settle()
  expect(statuses(bed).slice(-4)).toEqual([0, 0, 0, 0])
  await bed.close()
})

test('what was outstanding at a reset and is not late is done afterwards, once', async () => {
  const bed = await TestBed.open({ latency: 50e6 })
  bed.open(0)
  expect(bed.submit(0, 10)).toBe(10)
  await bed.device.reset()
  expect(bed.outcomes).toEqual([])
  await bed.settle()
  expect(statuses(bed)).toEqual(Array(10).fill(0))
  expect(bed.strays).toBe(0)
  await bed.close()
})

test('resets without end: after its retries a command fails with EIO', async () => {
  const bed = await TestBed.open({ latency: 50e6 }, { retries: 2 })
  bed.open(0)
  bed.submit(0, 3)
  for (let i = 0; i < 3; i++) {
    await bed.device.reset()
    bed.poll()
  }
  expect(statuses(bed)).toEqual([-5, -5, -5])
  await bed.close()
})

test('a passing error is tried again, a permanent one is not', async () => {
  const bed = await TestBed.open({}, { retries: 3 })
  bed.open(0)
  bed.controller.faults.add({ times: 2, action: { status: 0x006 } })
  bed.submit(0, 1)
  await bed.settle()
  expect(statuses(bed)).toEqual([0])
  bed.controller.faults.add({ times: 4, action: { status: 0x006 } })
  bed.submit(0, 1)
  await bed.settle()
  expect(statuses(bed)).toEqual([0, -5])
  bed.controller.faults.clear()
  bed.controller.faults.add({ action: { status: 0x006, doNotRetry: true } })
  bed.controller.faults.add({ action: { status: 0x281 } })
  bed.controller.faults.add({ action: { status: 0x081 } })
  bed.controller.faults.add({ action: { status: 0x020 } })
  bed.submit(0, 4)
  await bed.settle()
  expect(statuses(bed).slice(2)).toEqual([-5, -5, -28, -30])
  expect(bed.controller.faults.struck).toBe(10)
  await bed.close()
})

for (const completion of [
  'wrong-identifier',
  'wrong-queue',
  'wrong-head',
  'twice',
  'lost',
  'rubbish',
  'wrong-phase',
] as const) {
  test(`a completion that is ${completion}: noticed, the controller is reset, every command completes once`, async () => {
    const bed = await TestBed.open()
    bed.open(0)
    bed.controller.faults.add({ after: 3, action: { completion } })
    bed.submit(0, 8)
    await bed.settle()
    expect(bed.outstanding.size).toBe(0)
    expect(bed.strays).toBe(0)
    expect(bed.outcomes).toHaveLength(8)
    expect(statuses(bed).filter((status) => status !== 0 && status !== -110)).toEqual([])
    bed.submit(0, 3)
    await bed.settle()
    expect(statuses(bed).slice(-3)).toEqual([0, 0, 0])
    expect(bed.device.state).toBe('ready')
    await bed.close()
  })
}

test('a fatal status (CSTS.CFS) is seen by the watchdog, and the controller comes back', async () => {
  const bed = await TestBed.open()
  bed.open(0)
  bed.controller.faults.add({ after: 1, action: { controller: 'fatal' } })
  bed.submit(0, 4)
  await bed.settle()
  expect(statuses(bed)).toEqual([0, 0, 0, 0])
  expect(bed.device.state).toBe('ready')
  await bed.close()
})

test('a power cut of the controller: it is started again, and what was outstanding is done', async () => {
  const bed = await TestBed.open({ latency: 1e6 })
  bed.open(0)
  bed.submit(0, 6)
  bed.controller.powerCut(() => 0.4)
  await bed.settle()
  expect(statuses(bed)).toEqual(Array(6).fill(0))
  expect((await bed.device.health.smart()).unsafeShutdowns).toBe(1)
  await bed.close()
})

test('removal in the middle of a burst: ENODEV once for each, and the grants are over', async () => {
  const bed = await TestBed.open({ latency: 1e6 })
  const gone: unknown[] = []
  bed.device.onEvent((event) => event.kind === 'gone' && gone.push(event.error))
  const queue = bed.open(0)
  bed.submit(0, 6)
  bed.controller.remove()
  await bed.settle()
  expect(statuses(bed)).toEqual(Array(6).fill(-19))
  expect(queue.control.state).toBe(GRANT_REMOVED)
  expect(gone).toHaveLength(1)
  expect(bed.controller.bus.mappings).toBeGreaterThan(0)
  await bed.close()
})

test('a controller that does not come up again: every grant is over, and reset says why', async () => {
  const bed = await TestBed.open({ latency: 1e6 })
  bed.open(0)
  bed.submit(0, 2)
  bed.controller.faults.add({ queue: 0, times: 100, action: { hang: 'for-ever' } })
  await expect(bed.device.reset()).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  bed.poll()
  expect(statuses(bed)).toEqual([-19, -19])
  expect(bed.device.state).toBe('failed')
  await bed.close()
})

test('a queue that cannot be deleted: the controller is stopped before frames go back', async () => {
  const bed = await TestBed.open({ latency: 300e6 }, { timeout: 10_000 })
  bed.open(0)
  bed.open(1)
  bed.submit(0, 3)
  bed.submit(1, 3)
  bed.controller.faults.add({ queue: 0, opcode: 0x00, action: { hang: 'for-ever' } })
  bed.reclaim(0)
  expect(bed.controller.inFlight).toBe(0)
  expect(statuses(bed)).toEqual([-125, -125, -125])
  await bed.device.idle()
  await bed.settle()
  expect(statuses(bed).slice(3)).toEqual([0, 0, 0])
  await bed.close()
})

test('events: a warning of the temperature, and a namespace that came and one that shrank away', async () => {
  const bed = await TestBed.open()
  const names: string[] = []
  bed.device.onEvent((event) => event.kind === 'event' && names.push(event.event.name))
  bed.controller.setTemperature(350)
  await bed.pass(25)
  expect(names).toEqual(['Temperature Threshold'])
  expect((await bed.device.health.smart()).temperatureOutside).toBe(true)
  bed.controller.addNamespace({ blocks: 100 })
  await bed.pass(25)
  expect(names).toEqual(['Temperature Threshold', 'Namespace Attribute Changed'])
  expect([...bed.device.namespaces]).toEqual([
    [1, 16_384],
    [2, 100],
  ])
  bed.controller.removeNamespace(2)
  await bed.pass(25)
  expect([...bed.device.namespaces.keys()]).toEqual([1])
  await bed.close()
})

test('errors are in the log of the controller', async () => {
  const bed = await TestBed.open()
  bed.open(0)
  bed.controller.faults.add({ action: { status: 0x281 } })
  bed.submit(0, 1, BLOCK_READ, 77)
  await bed.settle()
  await expect(bed.device.ask({ name: 'Nothing', opcode: 0x55 })).rejects.toThrow(NvmeError)
  const [newest, older] = await bed.device.health.errors()
  expect(newest).toMatchObject({ queue: 0, status: { name: 'Invalid Command Opcode' } })
  expect(older).toMatchObject({ queue: 1, lba: 77, namespace: 1, status: { name: 'Unrecovered Read Error' } })
  await bed.close()
})

test('the driver causes nothing that strict checking counts', async () => {
  const bed = await TestBed.open()
  for (let i = 0; i < 3; i++) bed.open(i)
  for (let round = 0; round < 200; round++) {
    bed.submit(round % 3, 1 + (round % 15), [1, 2, 3][round % 3] as number, round)
    bed.poll()
  }
  bed.submit(0, 1, BLOCK_FLUSH)
  await bed.settle()
  await bed.device.reset()
  await bed.close()
  const { commands, completions, ...bad } = bed.controller.health.counters
  expect(commands).toBeGreaterThan(1000)
  expect(new Set(Object.values(bad))).toEqual(new Set([0]))
  expect(bed.controller.bus.mappings).toBe(0)
})

test('a device that is taken while it is opened: ENODEV, at whichever register access', async () => {
  for (let accesses = 0; accesses < 60; accesses++) {
    const bed = await TestBed.open()
    await bed.device.close()
    bed.controller.insert()
    bed.controller.removeAfter(accesses)
    const opened = await openNvme(bed.controller, {}, { clock: bed.clock }).then(
      (device) => device,
      (error: unknown) => error,
    )
    if (opened instanceof Error) expect(opened).toMatchObject({ code: 'ENODEV' })
    else await (opened as typeof bed.device).close().catch((error) => expect(error).toMatchObject({ code: 'ENODEV' }))
  }
})
