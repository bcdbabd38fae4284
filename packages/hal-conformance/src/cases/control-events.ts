import { GRANT_REMOVED, type NetDeviceEvent } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Group, hook } from '../case.ts'
import { errorOf } from '../errors.ts'

/** Link, MTU and MAC changes reach both halves; removal ends every queue and accounts for every frame. */
export const controlEvents: Group = {
  name: 'control events',
  cases: [
    {
      title: 'the control block starts with what the device says',
      run: async (session) => {
        const { control } = await session.open()
        const { device } = session
        expect({ linkUp: control.linkUp, mtu: control.mtu, mac: control.mac }).toEqual({
          linkUp: device.linkUp,
          mtu: device.mtu,
          mac: device.mac,
        })
      },
    },
    {
      title: 'link down and up: events, a new epoch, counted drops, and traffic again',
      unless: hook('setLink'),
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const queue = await session.open()
        const events: NetDeviceEvent[] = []
        const stop = device.subscribe((event) => void events.push(event))
        const epoch = queue.control.epoch
        await fixture.setLink?.(false)
        await session.until('the link to be down', () => !queue.control.linkUp && !device.linkUp)
        expect(queue.control.epoch).not.toBe(epoch)
        const before = device.queueStatistics(0)
        const burst = session.burst(4)
        for (let i = 0; i < 4; i++) session.load(queue, burst, session.outbound())
        const taken = queue.transmit(burst)
        for (let i = taken; i < 4; i++) queue.pool.release(burst.frame[i])
        await session.until('every packet to be counted', () => {
          queue.reap()
          const now = device.queueStatistics(0)
          return now.txPackets + now.txDropped - before.txPackets - before.txDropped === taken
        })
        await fixture.setLink?.(true)
        await session.until('the link to be up', () => queue.control.linkUp && device.linkUp)
        await session.quiet()
        await session.collectSome([])
        const packet = session.inbound()
        await session.send([packet])
        expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
        const reply = session.outbound()
        await session.transmit(queue, [reply])
        expect(await session.collect(1, [], () => queue.reap())).toEqual([reply])
        await session.until('both link events', () => events.filter((event) => event.kind === 'link').length >= 2)
        expect(events.filter((event) => event.kind === 'link')).toEqual([
          { kind: 'link', up: false },
          { kind: 'link', up: true },
        ])
        stop()
      },
    },
    {
      title: 'an MTU change reaches both halves',
      unless: hook('setMtu'),
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const queue = await session.open()
        const events: NetDeviceEvent[] = []
        device.subscribe((event) => void events.push(event))
        await fixture.setMtu?.(1400)
        await session.until('the new MTU', () => queue.control.mtu === 1400 && device.mtu === 1400)
        await session.until('the event', () => events.length > 0)
        expect(events).toContainEqual({ kind: 'mtu', mtu: 1400 })
      },
    },
    {
      title: 'a MAC change reaches both halves',
      unless: hook('setMac'),
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const queue = await session.open()
        const events: NetDeviceEvent[] = []
        device.subscribe((event) => void events.push(event))
        const mac = '02:00:5e:10:20:30'
        await fixture.setMac?.(mac)
        await session.until('the new MAC', () => queue.control.mac === mac && device.mac === mac)
        await session.until('the event', () => events.length > 0)
        expect(events).toContainEqual({ kind: 'mac', mac })
        const packet = session.inbound()
        await session.send([packet])
        expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
      },
    },
    {
      title: 'a listener that left hears nothing',
      unless: hook('setLink'),
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const heard: NetDeviceEvent[] = []
        const left: NetDeviceEvent[] = []
        device.subscribe((event) => void heard.push(event))
        device.subscribe((event) => void left.push(event))()
        await fixture.setLink?.(false)
        await session.until('the event', () => heard.length > 0)
        expect(left).toEqual([])
      },
    },
    {
      title: 'removal: an event, zero answers, ENODEV, and every frame accounted for',
      unless: hook('remove'),
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const window = session.createWindow()
        const queue = await session.open()
        const events: NetDeviceEvent[] = []
        device.subscribe((event) => void events.push(event))
        await session.send([session.inbound(), session.inbound()])
        const burst = session.burst(8)
        for (let i = 0; i < 8; i++) session.load(queue, burst, session.outbound())
        expect(queue.transmit(burst)).toBe(8)
        await fixture.remove?.()
        await session.until('the removal', () => queue.control.state === GRANT_REMOVED)
        await session.until('the event', () => events.some((event) => event.kind === 'removed'))
        expect(queue.receive(session.burst())).toBe(0)
        burst.count = 0
        const frame = session.load(queue, burst, session.outbound())
        expect(queue.transmit(burst)).toBe(0)
        expect(queue.pool.count(frame)).toBe(1)
        queue.pool.release(frame)
        expect(queue.reap()).toBe(0)
        queue.detach()
        expect(queue.pool.available).toBe(queue.pool.frameCount)
        expect(errorOf(() => device.grant(0, window)).code).toBe('ENODEV')
        device.reclaim(queue.grant)
      },
    },
    {
      title: 'removal wakes a holder that sleeps on a word',
      unless: hook('remove'),
      ends: true,
      run: async (session) => {
        const queue = await session.open()
        const { wake } = queue
        if (wake.kind !== 'word') return 'the queue does not wake by a word'
        const sequence = wake.word.announce()
        queue.arm()
        const start = performance.now()
        const sleep = wake.word.sleepAsync(sequence, 4_000)
        await session.fixture.remove?.()
        await sleep
        expect(performance.now() - start).toBeLessThan(2_000)
      },
    },
  ],
}
