import {
  BLOCK_FLUSH,
  BLOCK_READ,
  DebugFramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
} from '@parakernel/hal'
import { expect } from 'vitest'
import { errorOf } from '../../errors.ts'
import { type BlockGroup, hook, severalQueues } from '../case.ts'
import type { BlockSession } from '../session.ts'

const kinds = ['plain', 'memfd', 'file'] as const

/** Grant, attach, detach, reclaim, removal: who may do what, and what becomes of commands under way. */
export const lifeCycle: BlockGroup = {
  name: 'life cycle',
  cases: [
    {
      title: 'a device says what it is',
      run: ({ device, range }) => {
        const { capabilities } = device
        const { blockSize, memoryAlignment } = capabilities
        expect(device.queues).toBeGreaterThan(0)
        expect(device.name).not.toBe('')
        expect(Math.log2(blockSize) % 1).toBe(0)
        expect(blockSize).toBeGreaterThanOrEqual(512)
        expect(blockSize % memoryAlignment).toBe(0)
        for (const key of ['maxSegments', 'maxTransfer', 'atomicUnit', 'queueDepth'] as const) {
          expect(capabilities[key], key).toBeGreaterThan(0)
        }
        expect(capabilities.opcodes & (1 << BLOCK_READ)).not.toBe(0)
        expect(capabilities.regions.length).toBeGreaterThan(0)
        expect(structuredClone(capabilities)).toEqual(capabilities)
        expect(device.namespaces.get(range.namespace)).toBeGreaterThanOrEqual(64)
        for (const blocks of device.namespaces.values()) expect(Number.isSafeInteger(blocks) && blocks > 0).toBe(true)
      },
    },
    {
      title: 'a grant is plain data and attaches from its clone',
      run: async (session) => {
        const grant = structuredClone(session.grant())
        expect(grant.range).toEqual(session.range)
        const queue = await session.attach(grant)
        expect(queue.control.state).toBe(GRANT_ATTACHED)
        await roundTrip(session, queue)
      },
    },
    {
      title: 'a second owner gets EBUSY, attached or not',
      run: async (session) => {
        const grant = session.grant()
        expect(errorOf(() => session.grant()).code).toBe('EBUSY')
        await session.attach(grant)
        const error = errorOf(() => session.grant())
        expect(error.code).toBe('EBUSY')
        expect(error.subject).toContain(session.device.name)
      },
    },
    {
      title: 'a queue out of range gets EINVAL',
      run: (session) => {
        for (const queue of [-1, session.device.queues, 0.5, Number.NaN]) {
          expect(errorOf(() => session.grant(queue)).code, String(queue)).toBe('EINVAL')
        }
      },
    },
    {
      title: 'a range that is not in the device gets EINVAL, and the queue stays free',
      run: async (session) => {
        const { namespace } = session.range
        const total = session.device.namespaces.get(namespace) as number
        const absent = Math.max(...session.device.namespaces.keys()) + 1
        for (const range of [
          { namespace, firstLba: 0, blocks: total + 1 },
          { namespace, firstLba: total, blocks: 1 },
          { namespace, firstLba: -1, blocks: 2 },
          { namespace, firstLba: 0, blocks: 0 },
          { namespace, firstLba: 0.5, blocks: 1 },
          { namespace: absent, firstLba: 0, blocks: 1 },
        ]) {
          expect(errorOf(() => session.grant(0, range)).code, JSON.stringify(range)).toBe('EINVAL')
        }
        await session.open()
      },
    },
    {
      title: 'memory of a kind that the device does not take gets ENOTSUP, and the queue stays free',
      unless: ({ device }) =>
        device.capabilities.regions.length === kinds.length ? 'the device takes every kind of memory' : undefined,
      run: async (session) => {
        const { regions } = session.device.capabilities
        const [kind] = kinds.filter((one) => !regions.includes(one))
        const window = session.createWindow()
        const foreign = { ...window, region: { ...window.region, kind } }
        expect(errorOf(() => session.grant(0, session.range, foreign)).code).toBe('ENOTSUP')
        await session.open(0, { window })
      },
    },
    {
      title: 'a grant attaches once, and not after it was reclaimed',
      run: async (session) => {
        const grant = session.grant()
        const queue = await session.attach(grant)
        const pool = new DebugFramePool(session.createWindow())
        const again = new DebugFramePool(grant.window)
        await expect(session.attachWith(grant, again)).rejects.toMatchObject({ code: 'ESTALE' })
        await expect(session.attachWith({ ...grant, window: pool.window }, pool)).rejects.toMatchObject({
          code: expect.stringMatching(/ESTALE|EINVAL/),
        })
        session.close(queue)
        await expect(session.attachWith(grant, again)).rejects.toMatchObject({ code: 'ESTALE' })
        const unused = session.grant()
        session.device.reclaim(unused)
        await expect(session.attachWith(unused, new DebugFramePool(unused.window))).rejects.toMatchObject({
          code: 'ESTALE',
        })
      },
    },
    {
      title: 'detach ends the queue, and may be repeated',
      run: async (session) => {
        const queue = await session.open()
        await roundTrip(session, queue)
        queue.detach()
        expect(queue.control.state).toBe(GRANT_DETACHED)
        const burst = session.burst()
        session.push(burst, { opcode: BLOCK_FLUSH })
        expect(queue.submit(burst)).toBe(0)
        expect(session.completeSome(queue)).toEqual([])
        queue.detach()
        expect(queue.control.state).toBe(GRANT_DETACHED)
      },
    },
    {
      title: 'a reclaimed queue is granted again, with its content, many times',
      run: async (session) => {
        const data = session.pattern(4, 3)
        for (let round = 0; round < 5; round++) {
          const queue = await session.open()
          if (round === 0) await session.write(queue, 2, data)
          expect(Buffer.from(data).equals(await session.read(queue, 2, 4))).toBe(true)
          session.close(queue)
        }
      },
    },
    {
      title: 'reclaiming twice changes nothing, also when the queue has a new owner',
      run: async (session) => {
        const first = session.grant()
        session.device.reclaim(first)
        session.device.reclaim(first)
        const queue = await session.open()
        session.device.reclaim(first)
        expect(queue.control.state).toBe(GRANT_ATTACHED)
        await roundTrip(session, queue)
      },
    },
    {
      title: 'a clone of a grant reclaims it too',
      run: async (session) => {
        session.device.reclaim(structuredClone(session.grant()))
        await roundTrip(session, await session.open())
      },
    },
    {
      title: 'reclaim with commands under way: each completes exactly once, and nothing is accepted any more',
      run: async (session) => {
        const queue = await session.open()
        const { accepted, segments } = await burstOfReads(session, queue)
        session.device.reclaim(queue.grant)
        expect(queue.control.state).toBe(GRANT_RECLAIMED)
        await ended(session, queue, accepted)
        session.release(queue, segments)
        queue.detach()
        await roundTrip(session, await session.open())
      },
    },
    {
      title: 'detach with commands under way: the queue can be reclaimed and works again',
      run: async (session) => {
        const queue = await session.open()
        const { segments } = await burstOfReads(session, queue)
        queue.detach()
        expect(session.completeSome(queue)).toEqual([])
        session.device.reclaim(queue.grant)
        session.release(queue, segments)
        await roundTrip(session, await session.open())
      },
    },
    {
      title: 'queues see the writes of each other, and end alone',
      unless: severalQueues,
      run: async (session) => {
        const [one, two] = [await session.open(0), await session.open(1)]
        const data = session.pattern(3, 77)
        await session.write(one, 5, data)
        expect(Buffer.from(data).equals(await session.read(two, 5, 3))).toBe(true)
        session.close(one)
        await roundTrip(session, two)
      },
    },
    {
      title: 'a closed device grants nothing (ENODEV), completes what was under way, and closes twice',
      ends: true,
      run: async (session) => {
        const window = session.createWindow()
        const queue = await session.open()
        const { accepted, segments } = await burstOfReads(session, queue)
        await session.device.close()
        await session.device.close()
        await ended(session, queue, accepted)
        session.release(queue, segments)
        queue.detach()
        expect(errorOf(() => session.device.grant(0, session.range, window)).code).toBe('ENODEV')
      },
    },
    {
      title: 'a removed device grants nothing (ENODEV), and what was under way completes',
      unless: hook('remove'),
      ends: true,
      run: async (session) => {
        const window = session.createWindow()
        const queue = await session.open()
        const { accepted, segments } = await burstOfReads(session, queue)
        await session.fixture.remove?.()
        expect(queue.control.state).toBe(GRANT_REMOVED)
        await ended(session, queue, accepted)
        session.release(queue, segments)
        queue.detach()
        expect(errorOf(() => session.device.grant(0, session.range, window)).code).toBe('ENODEV')
      },
    },
  ],
}

async function roundTrip(session: BlockSession, queue: Awaited<ReturnType<BlockSession['open']>>): Promise<void> {
  const data = session.pattern(2, 41)
  await session.write(queue, 1, data)
  expect(Buffer.from(data).equals(await session.read(queue, 1, 2))).toBe(true)
}

/** Up to 16 reads, submitted and not waited for. */
async function burstOfReads(session: BlockSession, queue: Awaited<ReturnType<BlockSession['open']>>) {
  const count = Math.min(16, queue.capabilities.queueDepth)
  const burst = session.burst(count)
  const segments = session.place(queue, count * queue.pool.frameSize)
  for (const { frame } of segments) {
    session.push(burst, { opcode: BLOCK_READ, blocks: 1, segments: [{ frame, offset: 0, length: session.blockSize }] })
  }
  const accepted = queue.submit(burst)
  expect(burst.refused).toBe(0)
  expect(accepted).toBeGreaterThan(0)
  return { accepted, segments }
}

/** The grant is over: every accepted command completes once, well or with a negative errno, and nothing more is taken. */
async function ended(
  session: BlockSession,
  queue: Awaited<ReturnType<BlockSession['open']>>,
  accepted: number,
): Promise<void> {
  const all = await session.completeAll(queue, accepted)
  expect(new Set(all.map(({ cookie }) => cookie)).size).toBe(accepted)
  for (const { status } of all) expect(status).toBeLessThanOrEqual(0)
  const burst = session.burst()
  session.push(burst, { opcode: BLOCK_FLUSH })
  expect(queue.submit(burst)).toBe(0)
  await session.quiet(5)
  expect(session.completeSome(queue)).toEqual([])
}
