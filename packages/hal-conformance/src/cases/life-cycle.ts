import { attachNetQueue, DebugFramePool, GRANT_ATTACHED, GRANT_DETACHED, GRANT_RECLAIMED } from '@parakernel/hal'
import { expect } from 'vitest'
import type { Group } from '../case.ts'
import { errorOf } from '../errors.ts'

const kinds = ['plain', 'memfd'] as const

/** Grant, attach, detach, reclaim: who may do what, and in which order. */
export const lifeCycle: Group = {
  name: 'life cycle',
  cases: [
    {
      title: 'a device says what it is',
      run: ({ device }) => {
        expect(device.queues).toBeGreaterThan(0)
        expect(device.name).not.toBe('')
        expect(device.mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
        expect(device.linkUp).toBe(true)
        const { capabilities } = device
        expect(capabilities.maxPacket).toBeGreaterThanOrEqual(device.mtu + 14)
        expect(capabilities.maxSuperPacket).toBeGreaterThanOrEqual(capabilities.maxPacket)
        expect(capabilities.maxChain).toBeGreaterThan(0)
        expect(capabilities.transmitAlignment).toBeGreaterThan(0)
        expect(capabilities.regions.length).toBeGreaterThan(0)
        expect(structuredClone(capabilities)).toEqual(capabilities)
      },
    },
    {
      title: 'a grant is plain data and attaches from its clone',
      run: async (session) => {
        const grant = structuredClone(session.grant())
        expect(grant.window.lease).toBeGreaterThan(0)
        const queue = await session.attach(grant)
        expect(queue.control.state).toBe(GRANT_ATTACHED)
        await session.send([session.inbound()])
        await session.receive(queue, 1)
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
        const window = session.createWindow()
        for (const queue of [-1, session.device.queues, 0.5, Number.NaN]) {
          expect(errorOf(() => session.grant(queue, window)).code, String(queue)).toBe('EINVAL')
        }
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
        expect(errorOf(() => session.grant(0, foreign)).code).toBe('ENOTSUP')
        await session.open(0, { window })
      },
    },
    {
      title: 'a grant attaches once',
      run: async (session) => {
        const grant = session.grant()
        await session.attach(grant)
        const pool = new DebugFramePool(grant.window)
        await expect(session.attachWith(grant, pool)).rejects.toMatchObject({ code: 'ESTALE' })
        expect(pool.available).toBe(pool.frameCount)
      },
    },
    {
      title: 'a reclaimed grant does not attach',
      run: async (session) => {
        const grant = session.grant()
        session.device.reclaim(grant)
        const pool = new DebugFramePool(grant.window)
        await expect(attachNetQueue(grant, { pool, ...session.fixture.context })).rejects.toMatchObject({
          code: 'ESTALE',
        })
        expect(pool.available).toBe(pool.frameCount)
      },
    },
    {
      title: 'detach gives every frame back, ends the queue, and may be repeated',
      run: async (session) => {
        const queue = await session.open()
        await session.send([session.inbound(), session.inbound()])
        await session.receive(queue, 1)
        queue.detach()
        expect(queue.pool.available).toBe(queue.pool.frameCount)
        expect(queue.control.state).toBe(GRANT_DETACHED)
        expect(queue.receive(session.burst())).toBe(0)
        expect(queue.reap()).toBe(0)
        queue.detach()
        expect(queue.pool.available).toBe(queue.pool.frameCount)
      },
    },
    {
      title: 'transmit after detach answers 0 and takes nothing',
      run: async (session) => {
        const queue = await session.open()
        queue.detach()
        const burst = session.burst()
        const frame = session.load(queue, burst, session.outbound())
        expect(queue.transmit(burst)).toBe(0)
        expect(queue.pool.count(frame)).toBe(1)
        queue.pool.release(frame)
      },
    },
    {
      title: 'a detached queue is granted again after reclaim, and works',
      run: async (session) => {
        for (let round = 0; round < 5; round++) {
          const queue = await session.open()
          const packet = session.inbound(100)
          await session.send([packet])
          const [received] = await session.receive(queue, 1)
          expect(received.bytes).toEqual(packet)
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
        const packet = session.inbound()
        await session.send([packet])
        const [received] = await session.receive(queue, 1)
        expect(received.bytes).toEqual(packet)
      },
    },
    {
      title: 'a clone of a grant reclaims it too',
      run: async (session) => {
        session.device.reclaim(structuredClone(session.grant()))
        const queue = await session.open()
        await session.send([session.inbound()])
        await session.receive(queue, 1)
      },
    },
    {
      title: 'reclaim while attached: calls answer 0, and detach still gives the frames back',
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst()
        for (let i = 0; i < 8; i++) session.load(queue, burst, session.outbound())
        expect(queue.transmit(burst)).toBe(8)
        session.device.reclaim(queue.grant)
        expect(queue.control.state).toBe(GRANT_RECLAIMED)
        expect(queue.receive(session.burst())).toBe(0)
        burst.count = 0
        const frame = session.load(queue, burst, session.outbound())
        expect(queue.transmit(burst)).toBe(0)
        queue.pool.release(frame)
        queue.detach()
        expect(queue.pool.available).toBe(queue.pool.frameCount)
        const again = await session.open()
        await session.send([session.inbound()])
        await session.receive(again, 1)
      },
    },
    {
      title: 'a closed device grants nothing (ENODEV), and closes twice',
      ends: true,
      run: async (session) => {
        const window = session.createWindow()
        const queue = await session.open()
        await session.device.close()
        await session.device.close()
        expect(queue.receive(session.burst())).toBe(0)
        queue.detach()
        expect(errorOf(() => session.device.grant(0, window)).code).toBe('ENODEV')
      },
    },
  ],
}
