import { readFileSync } from 'node:fs'
import { type AfXdpDevice, backend, type QueueLease } from '@parakernel/af-xdp'
import { type Host, leaseNetQueue, MonotonicClock } from '@parakernel/hal'
import {
  createVethPair,
  KernelUdpSocket,
  missingCapabilities,
  probeLab,
  socketAddress,
  steerPortsToQueues,
  type VethPair,
} from '@parakernel/linux'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ProcessHandle } from '../../src/index.ts'
import { closeAll, hostOrSkip, memfdWindow, rootOrSkip, start } from './rig.ts'

const MODULE = new URL('../workers/udp-echo.ts', import.meta.url).href
const clock = new MonotonicClock()
const PORT_BASE = 7000
const OURS = '10.78.0.1'
const PEER = '10.78.0.2'

let host: Host
let pair: VethPair
let device: AfXdpDevice
const closers: (() => unknown)[] = []

beforeEach(async (context) => {
  host = hostOrSkip(context)
  rootOrSkip(context)
  const lab = probeLab()
  if (!lab.available) context.skip(`needs ${lab.missing}`)
  const missing = missingCapabilities('CAP_BPF', 'CAP_NET_RAW')
  if (missing.length > 0) context.skip(`needs ${missing.join(', ')}`)
  pair = createVethPair({ label: 'kp', queues: 2, peerAddresses: [`${PEER}/24`] })
  closers.push(() => pair.remove())
  pair.run('ip', 'neigh', 'add', OURS, 'lladdr', pair.mac, 'dev', pair.peer)
  const steering = steerPortsToQueues(pair, { portBase: PORT_BASE })
  closers.push(() => steering.detach())
  device = (await backend.open(
    { interface: pair.interface, addresses: [OURS], ringSize: 256 },
    { clock, host },
  )) as AfXdpDevice
  closers.push(() => device.close())
})
afterEach(async () => {
  await closeAll()
  for (const close of closers.splice(0).reverse()) await close()
})

function echo(queue: number, lease = leaseNetQueue(device, queue, memfdWindow(host, 256))): ProcessHandle {
  const { window } = lease as QueueLease
  const heap = { byteOffset: 0, byteLength: 0 }
  return start(host, { name: `echo${queue}`, index: queue, module: MODULE, window, leases: [lease], heap })
}

/** A peer that sends numbered datagrams to a queue and remembers which came back. */
class Client {
  readonly back = new Set<number>()
  readonly #socket: KernelUdpSocket
  readonly #to: Uint8Array
  #next = 0

  constructor(queue: number) {
    this.#socket = pair.inside(() => new KernelUdpSocket(PEER, 5000 + queue))
    closers.push(() => this.#socket.close())
    this.#to = socketAddress(OURS, PORT_BASE + queue)
  }

  exchange(): void {
    this.#socket.sendTo(new Uint8Array(Uint32Array.of(this.#next++).buffer), this.#to)
    for (let got = this.#socket.receive(); got !== undefined; got = this.#socket.receive()) {
      this.back.add(new DataView(got.buffer, got.byteOffset).getUint32(0, true))
    }
  }

  /** Sends until so many more answers have come. */
  async answers(count: number): Promise<void> {
    const enough = this.back.size + count
    const late = performance.now() + 20_000
    while (this.back.size < enough) {
      if (performance.now() > late) throw new Error(`${this.back.size} of ${enough} answers`)
      this.exchange()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

it('answers UDP echo as another user, is counted, and stops in order', async () => {
  const partition = echo(0)
  await partition.ready
  expect(readFileSync(`/proc/${partition.pid}/status`, 'latin1')).toMatch(/^Uid:\s+61184\s/m)
  const client = new Client(0)
  await client.answers(200)
  const [queue] = partition.statistics().queues
  expect(queue.rxPackets).toBeGreaterThanOrEqual(200)
  expect(queue.txPackets).toBeGreaterThanOrEqual(200)
  expect(device.queueStatistics(0).rxPackets).toBeGreaterThanOrEqual(queue.rxPackets)
  expect(partition.silence()).toBeLessThan(10_000)
  expect(await partition.stop()).toEqual({ kind: 'stopped' })
  expect(partition.exitStatus).toEqual({ code: 0, signal: null })
  // What it counted last is in the device's counters, and goes on with the next holder.
  const after = device.queueStatistics(0)
  expect(after.rxPackets).toBeGreaterThanOrEqual(queue.rxPackets)
  const next = echo(0)
  await next.ready
  // Answers of the first holder may still be on their way.
  const counted = () => {
    client.exchange()
    return device.queueStatistics(0).rxPackets
  }
  await expect.poll(counted, { timeout: 20_000 }).toBeGreaterThan(after.rxPackets)
})

it('is killed in mid-traffic, and its queue is granted again at once', async () => {
  const partition = echo(0)
  const neighbour = echo(1)
  await Promise.all([partition.ready, neighbour.ready])
  const [client, other] = [new Client(0), new Client(1)]
  await client.answers(50)
  await other.answers(50)
  for (let round = 0; round < 3; round++) {
    const victim = round === 0 ? partition : echo(0)
    await victim.ready
    await client.answers(20)
    for (let i = 0; i < 20; i++) client.exchange()
    process.kill(victim.pid as number, 'SIGKILL')
    expect(await victim.exited).toMatchObject({ kind: 'crashed', error: { code: 'EOWNERDEAD' } })
    // Whatever the kernel still has of it is gone within the device's patience of 2 s, or this throws EBUSY.
    const began = performance.now()
    device.lease(0, memfdWindow(host, 256)).close()
    expect(performance.now() - began).toBeLessThan(2500)
    await other.answers(20)
  }
})

it('that does not react is taken by force: nothing arrives any more, then it is gone', async () => {
  const partition = echo(0)
  await partition.ready
  const client = new Client(0)
  await client.answers(20)
  const spinning = partition.call('spin').catch((error) => error.code)
  expect(await partition.kill()).toMatchObject({ kind: 'crashed', error: { code: 'ECANCELED' } })
  expect(await spinning).toBe('ENXIO')
  expect(partition.exitStatus).toEqual({ code: null, signal: 'SIGKILL' })
  const next = echo(0)
  await next.ready
  await client.answers(20)
})

it('a revoked lease receives nothing, while its process lives', async () => {
  const lease = leaseNetQueue(device, 0, memfdWindow(host, 256))
  const partition = echo(0, lease)
  await partition.ready
  const client = new Client(0)
  await client.answers(20)
  const before = device.queueStatistics(0).rxPackets
  lease.revoke?.()
  lease.revoke?.()
  const { size } = client.back
  for (let i = 0; i < 50; i++) client.exchange()
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.exchange()
  // Some may have been on their way.
  expect(client.back.size - size).toBeLessThanOrEqual(1)
  expect(device.queueStatistics(0).rxPackets - before).toBeLessThanOrEqual(1)
  expect(() => device.lease(0, memfdWindow(host, 256))).toThrow(expect.objectContaining({ code: 'EBUSY' }))
})
