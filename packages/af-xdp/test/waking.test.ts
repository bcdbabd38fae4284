import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createPlainWindow, GRANT_ATTACHED, GRANT_RECLAIMED, GRANT_REMOVED } from '@parakernel/hal'
import { PacketSocket, type VethPair } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AfXdpDevice } from '../src/index.ts'
import { ipv4Packet } from './packets.ts'
import { drain, pause, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

let bed: Testbed
let workers: Worker[]
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
  workers = []
})
afterEach(async () => {
  // A thread in poll(2) ends only when something wakes it: closing the device does.
  await bed?.close()
  for (const worker of workers ?? []) await worker.terminate()
})

interface Report {
  readonly state: number
  readonly received: number
}

/** A worker that sleeps on queue 0; `next` answers its next report. */
async function startSleeper(device: AfXdpDevice) {
  const grant = device.grant(0, createPlainWindow(256))
  const eventFd = bed.context.host.createEventFd()
  const worker = new Worker(new URL('./sleeper-worker.ts', import.meta.url), {
    workerData: { grant, eventFd },
    execArgv: ['--conditions=source'],
  })
  workers.push(worker)
  const reports: Report[] = []
  worker.on('message', (report: Report) => void reports.push(report))
  const next = async () => {
    await until('a report of the worker', () => reports.length > 0)
    return reports.shift() as Report
  }
  expect(await next()).toEqual({ state: GRANT_ATTACHED, received: 0 })
  await pause(20)
  return { grant, next, ended: once(worker, 'exit') }
}

test('a frame wakes a worker that sleeps in poll', async () => {
  const pair = bed.pair({ label: 'w1' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const { next } = await startSleeper(device)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  for (let i = 0; i < 20; i++) {
    peer.send(ipv4Packet({}))
    expect(await next()).toEqual({ state: GRANT_ATTACHED, received: 1 })
    await pause(2)
  }
  peer.close()
})

test.for([
  ['reclaim', GRANT_RECLAIMED],
  ['removal', GRANT_REMOVED],
] as const)('%s wakes a worker that sleeps in poll, and its frames come back', async ([how, state]) => {
  const pair: VethPair = bed.pair({ label: 'w2' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const { grant, next, ended } = await startSleeper(device)
  const before = performance.now()
  if (how === 'reclaim') device.reclaim(grant)
  else pair.remove()
  let report = await next()
  // A removal begins with the link going down, which wakes it too.
  while (report.state === GRANT_ATTACHED) report = await next()
  expect(report.state).toBe(state)
  expect(await next()).toEqual({ state: -1, received: 256 })
  expect(performance.now() - before).toBeLessThan(2000)
  await ended
  if (how === 'removal') return
  // The queue is free again, and works.
  const queue = bed.attach(device)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  peer.send(ipv4Packet({}))
  await until('a frame', () => drain(queue) === 1)
  peer.close()
})

test("a frame wakes Node's own loop on the main thread", async (context) => {
  const pair = bed.pair({ label: 'w3' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const queue = bed.attach(device)
  const fd = queue.wake.kind === 'descriptor' ? queue.wake.fd : -1
  let woken: (() => void) | undefined
  const watcher = bed.context.host.watch(fd, () => woken?.())
  if (watcher === undefined) context.skip('node hides libuv')
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const latencies: number[] = []
  for (let i = 0; i < 50; i++) {
    const wake = new Promise<void>((resolve) => {
      woken = resolve
    })
    watcher?.resume()
    await pause(1)
    const before = performance.now()
    peer.send(ipv4Packet({}))
    await wake
    latencies.push(performance.now() - before)
    expect(drain(queue)).toBe(1)
  }
  latencies.sort((a, b) => a - b)
  expect(latencies[25]).toBeLessThan(5)
  watcher?.close()
  peer.close()
})
