import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { GRANT_REMOVED, NetBurst, type NetDeviceEvent } from '@parakernel/hal'
import { PacketSocket } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ipv4Packet } from './packets.ts'
import { drain, send, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

test('the interface is deleted under traffic: an event, zero answers, every frame accounted for', async () => {
  const pair = bed.pair({ label: 'rm' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const queue = bed.attach(device)
  const events: NetDeviceEvent[] = []
  device.subscribe((event) => void events.push(event))
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const packet = ipv4Packet({})
  for (let i = 0; i < 100; i++) {
    peer.send(packet)
    send(queue, packet)
  }
  drain(queue)
  for (let i = 0; i < 50; i++) {
    peer.send(packet)
    send(queue, packet)
  }
  pair.remove()
  // Not polled in between: the queue finds out by itself.
  const burst = new NetBurst(64)
  await until('the event', () => events.some((event) => event.kind === 'removed'))
  expect(queue.control.state).toBe(GRANT_REMOVED)
  expect(queue.receive(burst)).toBe(0)
  expect(send(queue, packet)).toBe(false)
  expect(queue.reap()).toBe(0)
  expect(queue.arm()).toBe(false)
  queue.detach()
  expect(queue.pool.available).toBe(512)
  const now = device.statistics()
  expect(now.rxPackets + now.rxDroppedRingFull + now.rxDroppedNoFrame).toBe(150)
  expect(now.txPackets + now.txDropped).toBe(150)
  expect(() => device.grant(0, queue.grant.window)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  peer.close()
  await device.close()
})

test('an interface that is down keeps what is transmitted, and sends it when it comes up', async () => {
  const pair = bed.pair({ label: 'dn' })
  const ours = (...words: string[]) => execFileSync('ip', ['link', 'set', pair.interface, ...words])
  ours('down')
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  expect(device.linkUp).toBe(false)
  const queue = bed.attach(device)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const packet = ipv4Packet({ destinationPort: 4242 })
  for (let i = 0; i < 10; i++) expect(send(queue, packet)).toBe(true)
  expect(queue.arm()).toBe(true)
  ours('up')
  await until('the link', () => device.linkUp)
  let seen = 0
  await until('ten frames at the peer', () => {
    queue.reap()
    for (let frame = peer.receive(); frame !== undefined; frame = peer.receive()) {
      if (Buffer.compare(frame, packet) === 0) seen++
    }
    return seen === 10
  })
  expect(queue.arm()).toBe(false)
  peer.close()
  queue.detach()
  expect(queue.pool.available).toBe(512)
})

test('a device that a worker opened hears of events too', async () => {
  const pair = bed.pair({ label: 'wo' })
  const entry = new URL('../src/index.ts', import.meta.url).href
  const code = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(entry)}).then(async ({ backend }) => {
      const context = { clock: { now: () => performance.now() * 1e6 } }
      const device = await backend.open({ interface: ${JSON.stringify(pair.interface)}, take: 'all' }, context)
      const beat = setInterval(() => {}, 1000)
      device.subscribe(async (event) => {
        parentPort.postMessage(event.kind)
        if (event.kind !== 'removed') return
        clearInterval(beat)
        await device.close()
      })
      parentPort.postMessage('open')
    })`
  const worker = new Worker(code, { eval: true, execArgv: ['--conditions=source'] })
  const heard: string[] = []
  worker.on('message', (kind: string) => void heard.push(kind))
  await until('the device', () => heard.includes('open'))
  pair.remove()
  await once(worker, 'exit')
  expect(heard.at(-1)).toBe('removed')
})

test('a process that holds the queue survives the removal and ends by itself', async () => {
  const pair = bed.pair({ label: 'rk' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const queue = bed.attach(device)
  pair.remove()
  // Polls on without ever looking at events.
  const burst = new NetBurst(64)
  for (let i = 0; i < 100_000; i++) queue.receive(burst)
  await device.close()
  queue.detach()
  expect(queue.pool.available).toBe(512)
})
