import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_MISCOMPARE,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type Clock,
  createPlainWindow,
  type FrameWindow,
  GRANT_REMOVED,
} from '@parakernel/hal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  admin,
  FEATURE_QUEUES,
  FEATURE_TEMPERATURE_THRESHOLD,
  FEATURE_VOLATILE_WRITE_CACHE,
  NvmeError,
  type NvmeOptions,
  type NvmeTransport,
  openNvme,
} from '../../src/index.ts'
import { Driver } from './driver.ts'

/** One controller under test. Namespace 1 is overwritten. */
export interface DriverFixture {
  readonly clock: Clock
  /** Opens a transport to the same controller; the suite has one open at a time. */
  transport(): NvmeTransport | Promise<NvmeTransport>
  /** A window that the transport takes; `createPlainWindow` when absent. */
  createWindow?(transport: NvmeTransport, frameCount: number, frameSize: number): FrameWindow
  /** Blocks of the longest transfer that is tried, where time is dear; the controller's own when absent. */
  readonly longest?: number
  /** Takes the controller away. The last thing that the suite does. */
  remove?(): void | Promise<void>
  close(): void | Promise<void>
}

export interface DriverSuiteOptions {
  readonly name: string
  /** Why it cannot run here. */
  readonly missing?: string | undefined
  setup(): DriverFixture | Promise<DriverFixture>
}

const FRAME = 4096

/** What a controller must do for the driver, beyond what every block device does: the same suite on each transport. */
export function nvmeDriverConformance({ name, missing, setup }: DriverSuiteOptions): void {
  describe(`${name}: NVMe driver conformance`, () => {
    if (missing !== undefined) {
      test('the suite', (context) => context.skip(missing))
      return
    }
    let fixture: DriverFixture
    let driver: Driver
    const open = async (options: NvmeOptions = {}): Promise<Driver> => {
      const transport = await fixture.transport()
      const device = await openNvme(transport, { queues: 4, depth: 32, ...options }, { clock: fixture.clock })
      const window = () =>
        fixture.createWindow?.(transport, 96, FRAME) ?? createPlainWindow(96, { frameSize: FRAME, headroom: 0 })
      return new Driver(device, window, fixture.clock)
    }
    const reopen = async (options?: NvmeOptions): Promise<void> => {
      await driver?.close()
      driver = await open(options)
    }
    beforeAll(async () => {
      fixture = await setup()
      driver = await open()
    })
    afterAll(async () => {
      await driver?.close()
      await fixture?.close()
    })

    test('the controller and its namespaces say who they are', () => {
      const { identity, controller, namespaces, queues } = driver.device
      expect(identity.model).not.toBe('')
      expect(identity.serial).not.toBe('')
      expect(controller.capabilities.version).toMatch(/^[12]\.\d\.\d$/)
      expect(controller.capabilities.maxQueueEntries).toBeGreaterThanOrEqual(2)
      expect(namespaces.get(1)).toBeGreaterThan(64)
      expect(queues).toBeGreaterThan(0)
      const space = controller.namespaces.get(1)
      expect([512, 4096]).toContain(space?.blockSize)
    })

    test('queue pairs are made and deleted, all of them, again and again', async () => {
      for (let round = 0; round < 3; round++) {
        const queues = Array.from({ length: driver.device.queues }, (_, i) => driver.queue(i))
        for (const [i, queue] of queues.entries()) await driver.write(queue, i * 8, driver.pattern(1, i))
        for (const [i, queue] of queues.entries()) {
          expect(await driver.read(queue, i * 8, 1)).toEqual(driver.pattern(1, i))
        }
        driver.releaseQueues()
      }
    })

    test('every length from one block to the longest, from every place in a page', async () => {
      const queue = driver.queue(0)
      const { maxTransfer, blockSize } = queue.capabilities
      const longest = Math.min(maxTransfer, fixture.longest ?? maxTransfer)
      for (let blocks = 1; blocks <= longest; blocks = blocks < 10 ? blocks + 1 : blocks * 2) {
        const length = Math.min(blocks, Math.floor((80 * FRAME) / blockSize))
        for (const offset of [0, 4, 512, FRAME - 4]) {
          const data = driver.pattern(length, blocks + offset)
          const written = await driver.run(queue, { opcode: BLOCK_WRITE, lba: 3, blocks: length, data, offset })
          expect(written).toMatchObject({ status: 0, result: data.length })
          const found = await driver.run(queue, {
            opcode: BLOCK_READ,
            lba: 3,
            blocks: length,
            offset: (offset + 4) % FRAME,
          })
          expect(found.status).toBe(0)
          expect(Buffer.compare(found.data, data), `${length} blocks at ${offset}`).toBe(0)
        }
      }
      driver.releaseQueues()
    })

    test('flush, forced writes, write zeroes, compare and deallocate', async () => {
      const queue = driver.queue(0)
      const data = driver.pattern(4, 9)
      const has = (opcode: number) => (queue.capabilities.opcodes & (1 << opcode)) !== 0
      const write = { opcode: BLOCK_WRITE, lba: 20, blocks: 4, data, flags: BLOCK_FUA }
      expect((await driver.run(queue, write)).status).toBe(0)
      expect((await driver.run(queue, { opcode: BLOCK_FLUSH })).status).toBe(0)
      if (has(BLOCK_COMPARE)) {
        const compare = { opcode: BLOCK_COMPARE, lba: 20, blocks: 4 }
        expect((await driver.run(queue, { ...compare, data })).status).toBe(0)
        const other = data.slice()
        other[other.length - 1] ^= 1
        expect((await driver.run(queue, { ...compare, data: other })).status).toBe(BLOCK_MISCOMPARE)
      }
      if (has(BLOCK_WRITE_ZEROES)) {
        expect((await driver.run(queue, { opcode: BLOCK_WRITE_ZEROES, lba: 21, blocks: 2 })).status).toBe(0)
        const found = await driver.read(queue, 20, 4)
        const expected = data.slice()
        expected.fill(0, expected.length / 4, (expected.length / 4) * 3)
        expect(Buffer.compare(found, expected)).toBe(0)
      }
      if (has(BLOCK_DEALLOCATE)) {
        expect((await driver.run(queue, { opcode: BLOCK_DEALLOCATE, lba: 20, blocks: 4 })).status).toBe(0)
        expect((await driver.run(queue, { opcode: BLOCK_READ, lba: 20, blocks: 4 })).status).toBe(0)
      }
      driver.releaseQueues()
    })

    test('features: the number of queues, the write cache, the temperature threshold', async () => {
      const { health, identity } = driver.device
      expect((await health.feature(FEATURE_QUEUES)) & 0xffff).toBeGreaterThanOrEqual(driver.device.queues - 1)
      if (identity.volatileCache) {
        for (const value of [0, 1]) {
          await health.setFeature(FEATURE_VOLATILE_WRITE_CACHE, value)
          expect(await health.feature(FEATURE_VOLATILE_WRITE_CACHE)).toBe(value)
        }
      }
      const before = await health.feature(FEATURE_TEMPERATURE_THRESHOLD)
      await health.setTemperatureThreshold(360)
      expect((await health.feature(FEATURE_TEMPERATURE_THRESHOLD)) & 0xffff).toBe(360)
      await health.setTemperatureThreshold(before & 0xffff)
    })

    test('log pages: health counts what was done, firmware is told', async () => {
      const { health } = driver.device
      const before = await health.smart()
      const queue = driver.queue(0)
      for (let i = 0; i < 5; i++) await driver.read(queue, i, 1)
      const after = await health.smart()
      expect(after.hostReads - before.hostReads).toBe(5)
      expect(after.temperature).toBeGreaterThan(250)
      const firmware = await health.firmware()
      expect(firmware.activeSlot).toBe(1)
      expect(firmware.revisions[0]).not.toBe('')
      await health.errors(4)
      driver.releaseQueues()
    })

    test('what the controller does not know is an error with its own status', async () => {
      const refused = async (command: admin.AdminCommand) => {
        const error = await driver.device.ask(command).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (!(error instanceof NvmeError)) throw new Error(`${command.name} was not refused: ${error}`)
        return error
      }
      expect((await refused({ name: 'Nothing', opcode: 0x7f })).status).toMatchObject({
        name: 'Invalid Command Opcode',
        type: 0,
        code: 1,
        doNotRetry: true,
      })
      expect((await refused(admin.getLogPage(0x6f, 512))).code).toBe('EINVAL')
      expect((await refused(admin.getFeature(0xbf))).code).toBe('EINVAL')
      expect((await refused(admin.identify(0x00, 0xffff_fff0))).status.name).toBe('Invalid Namespace or Format')
      expect((await refused(admin.deleteSubmissionQueue(4))).status.name).toBe('Invalid Queue Identifier')
      // The specification has the same code here; QEMU gives that of a missing completion queue.
      expect((await refused(admin.deleteCompletionQueue(0))).status.name).toMatch(
        /^(Invalid Queue Identifier|Completion Queue Invalid)$/,
      )
      const geometry = { queue: 1, entries: 16, address: 0x10_0000 }
      expect((await refused(admin.createSubmissionQueue({ ...geometry, queue: 3 }))).status.name).toBe(
        'Completion Queue Invalid',
      )
      expect((await refused(admin.createCompletionQueue({ ...geometry, entries: 1 }, -1))).status.name).toBe(
        'Invalid Queue Size',
      )
    })

    test('an abort of what is not outstanding aborts nothing', async () => {
      await expect(driver.device.ask(admin.abort(1, 0x1234))).rejects.toMatchObject({ code: 'EINVAL' })
      driver.queue(0)
      expect((await driver.device.ask(admin.abort(1, 0x1234))).value & 1).toBe(1)
      driver.releaseQueues()
    })

    test('admin commands beside each other are answered each', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => driver.device.health.smart()))
      expect(answers).toHaveLength(40)
    })

    test('a reset in the middle: everything completes once, and the data are right', async () => {
      for (let round = 0; round < 4; round++) {
        const queue = driver.queue(round % driver.device.queues)
        const count = 16
        const blocks = Array.from({ length: count }, (_, i) => driver.pattern(1, round * 100 + i))
        const sent = driver.submit(
          queue,
          blocks.map((data, i) => ({ opcode: BLOCK_WRITE, lba: 40 + i, blocks: 1, data })),
        )
        const reset = driver.device.reset()
        const done = await driver.completeAll(queue, sent)
        await reset
        expect(new Set(done.map(({ cookie }) => cookie)).size).toBe(count)
        for (const { status } of done) expect(status).toBe(0)
        for (const [i, data] of blocks.entries()) {
          expect(Buffer.compare(await driver.read(queue, 40 + i, 1), data)).toBe(0)
        }
        driver.releaseQueues()
      }
      expect(driver.device.state).toBe('ready')
    })

    test('a queue that is taken back while the controller is reset is free afterwards', async () => {
      const queue = driver.queue(0)
      driver.submit(queue, [{ opcode: BLOCK_READ, lba: 0, blocks: 1 }])
      const reset = driver.device.reset()
      driver.releaseQueues()
      await reset
      const again = driver.queue(0)
      expect(await driver.read(again, 0, 1)).toHaveLength(again.capabilities.blockSize)
      driver.releaseQueues()
    })

    test('an orderly end, and the next start: what was written is there', async () => {
      const data = driver.pattern(2, 77)
      await driver.write(driver.queue(0), 60, data)
      await reopen({ depth: 2, queues: 1 })
      const queue = driver.queue(0)
      expect(queue.capabilities.queueDepth).toBe(1)
      expect(Buffer.compare(await driver.read(queue, 60, 2), data)).toBe(0)
      await reopen()
    })

    test('the write cache can be turned off at open', async () => {
      await reopen({ writeCache: 'off' })
      expect(driver.device.capabilities.volatileCache).toBe(false)
      await reopen({ writeCache: 'on' })
    })

    test('a namespace that is not there cannot be opened', async () => {
      await driver.close()
      await expect(open({ namespace: 77 })).rejects.toMatchObject({ code: 'EINVAL' })
      driver = await open()
    })

    test('removal: grants end, what is outstanding completes, nothing is granted', async (context) => {
      if (fixture.remove === undefined) return context.skip('the controller cannot be taken away here')
      const queue = driver.queue(0)
      const window = driver.window()
      await fixture.remove()
      const sent = driver.submit(queue, [{ opcode: BLOCK_READ, lba: 0, blocks: 1 }])
      driver.device.watch()
      const done = await driver.completeAll(queue, sent)
      expect(done.map(({ status }) => status)).toEqual([-19])
      expect(queue.control.state).toBe(GRANT_REMOVED)
      expect(driver.device.state).toBe('removed')
      await expect(driver.device.health.smart()).rejects.toMatchObject({ code: 'ENODEV' })
      await expect(driver.device.reset()).rejects.toMatchObject({ code: 'ENODEV' })
      expect(() => driver.device.grant(0, { namespace: 1, firstLba: 0, blocks: 1 }, window)).toThrow(/ENODEV/)
    })
  })
}
