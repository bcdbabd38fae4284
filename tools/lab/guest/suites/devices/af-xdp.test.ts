import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { backend } from '@parakernel/af-xdp'
import {
  attachNetQueue,
  createFrameWindow,
  createPlainRegion,
  FramePool,
  MonotonicClock,
  NetBurst,
  type NetDevice,
  type NetQueue,
} from '@parakernel/hal'
import { LinuxHost } from '@parakernel/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CABLE } from '../../../src/machine/cable.ts'
import { refusedPort, synPacket } from '../../support/tcp-syn.ts'

const QUEUES = 4
const FRAMES = 512
const PER_QUEUE = 16
const FIRST_PORT = 20_000
/** What AF_XDP leaves free before a frame's data. */
const HEADROOM = 256

const nic = readInterface(CABLE.guestMac)

describe('af-xdp on a virtio NIC of four queues', () => {
  let device: NetDevice
  const queues: NetQueue[] = []

  beforeAll(async () => {
    if (nic === undefined) return
    execFileSync('ip', ['link', 'set', nic, 'up'])
    const context = { clock: new MonotonicClock(), host: new LinuxHost() }
    device = await backend.open({ interface: nic, mode: 'native', take: 'all', ringSize: 128 }, context)
    for (let queue = 0; queue < device.queues; queue++) {
      const window = createFrameWindow({ region: createPlainRegion(FRAMES * 2048), frameCount: FRAMES })
      const pool = new FramePool(window)
      queues.push(await attachNetQueue(device.grant(queue, window), { pool, ...context }))
    }
  })
  afterAll(() => device?.close())

  test('runs the program in the driver, with a queue for each processor', (context) => {
    if (nic === undefined) context.skip('the machine was started without a multi-queue NIC')
    expect(queues.length).toBe(QUEUES)
    expect(execFileSync('ip', ['link', 'show', nic!], { encoding: 'utf8' })).toMatch(/ xdp[ /]/)
  })

  // The TAP driver remembers from which queue a flow came, and puts answers into the same one; it learns that when it has handed the first
  // packet to the kernel, whose answer may be quicker.
  test('sends on every queue, and each gets the answers to what it sent', async (context) => {
    if (nic === undefined) context.skip('the machine was started without a multi-queue NIC')
    await exchange(1)
    const { found, strays } = await exchange(2)
    expect(strays).toEqual([])
    expect(found.map((ports) => ports.size)).toEqual(new Array(QUEUES).fill(PER_QUEUE))
    const { rxPackets, txPackets } = device.statistics()
    expect(txPackets).toBeGreaterThanOrEqual(QUEUES * PER_QUEUE)
    expect(rxPackets).toBeGreaterThanOrEqual(QUEUES * PER_QUEUE)
  })

  /** Sends the flows of each queue, and says which answers came where. */
  async function exchange(sequence: number): Promise<{ found: Set<number>[]; strays: string[] }> {
    for (const [q, queue] of queues.entries()) {
      const burst = new NetBurst(PER_QUEUE, device.capabilities.columns)
      for (let i = 0; i < PER_QUEUE; i++) {
        const packet = synPacket(CABLE, FIRST_PORT + q * PER_QUEUE + i, sequence)
        const frame = queue.pool.allocate()
        new Uint8Array(queue.pool.window.region.buffer).set(packet, queue.pool.address(frame) + HEADROOM)
        burst.push(frame, HEADROOM, packet.length)
      }
      expect(queue.transmit(burst)).toBe(PER_QUEUE)
    }
    const found = queues.map(() => new Set<number>())
    const strays: string[] = []
    const received = new NetBurst(64, device.capabilities.columns)
    const deadline = performance.now() + 20_000
    let count = 0
    while (count < QUEUES * PER_QUEUE && performance.now() < deadline) {
      for (const [q, queue] of queues.entries()) {
        queue.receive(received)
        for (let i = 0; i < received.count; i++) {
          const at = queue.pool.address(received.frame[i]!) + received.offset[i]!
          const port = refusedPort(new DataView(queue.pool.window.region.buffer, at, received.length[i]), sequence)
          const sender = Math.floor((port - FIRST_PORT) / PER_QUEUE)
          if (port > 0) count++
          if (port > 0 && sender === q) found[q]!.add(port)
          else if (port > 0) strays.push(`a flow of queue ${sender} on queue ${q}`)
          queue.pool.release(received.frame[i]!)
        }
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { found, strays }
  }
})

function readInterface(mac: string): string | undefined {
  return readdirSync('/sys/class/net').find((name) => {
    try {
      return readFileSync(`/sys/class/net/${name}/address`, 'latin1').trim() === mac
    } catch {
      return false
    }
  })
}
