import { execFileSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { createPlainWindow, type NetQueue } from '@parakernel/hal'
import { PacketSocket, type VethPair } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GROUPS } from '../src/steering/filter-table.ts'
import { startDeviceChild } from './child.ts'
import { ipv4Packet } from './packets.ts'
import { drain, pause, Testbed, until } from './testbed.ts'
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

const group = (n: number) => `01:00:5e:01:00:${n.toString(16).padStart(2, '0')}`

function toGroup(n: number): Uint8Array {
  const packet = ipv4Packet({ destination: `239.1.0.${n}` })
  packet.set([1, 0, 0x5e, 1, 0, n])
  return packet
}

/** Groups that the interface itself receives, as `ip maddr` tells. */
function memberships(pair: VethPair): string[] {
  const printed = execFileSync('ip', ['maddr', 'show', pair.interface])
  return [...String(printed).matchAll(/link\s+(01:00:5e:01:\S+)/g)].map((match) => match[1])
}

const flags = (pair: VethPair) => String(execFileSync('ip', ['-d', 'link', 'show', pair.interface]))

async function countTaken(
  pair: VethPair,
  queues: readonly NetQueue[],
  packets: readonly Uint8Array[],
): Promise<number> {
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  for (const packet of packets) peer.send(packet)
  await pause(20)
  peer.close()
  return queues.reduce((total, queue) => total + drain(queue), 0)
}

describe('the receive filter of an interface', () => {
  test('takes the groups that queues ask for, tells the interface, and forgets both when a queue ends', async () => {
    const pair = bed.pair({ label: 'f1', queues: 2 })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const queues = [bed.attach(device, 0), bed.attach(device, 1)]
    const packets = [1, 2, 3].map(toGroup)
    expect(await countTaken(pair, queues, packets)).toBe(0)
    queues[0].setReceiveFilter({ multicast: [group(1), group(2)] })
    queues[1].setReceiveFilter({ multicast: [group(2)] })
    expect(await countTaken(pair, queues, packets)).toBe(2)
    expect(memberships(pair)).toEqual([group(1), group(2)])
    queues[0].setReceiveFilter({ multicast: [group(3)] })
    expect(await countTaken(pair, queues, packets)).toBe(2)
    expect(memberships(pair).sort()).toEqual([group(2), group(3)])
    queues[0].detach()
    expect(memberships(pair)).toEqual([group(2)])
    device.reclaim(queues[1].grant)
    expect(memberships(pair)).toEqual([])
    expect(() => queues[1].setReceiveFilter({ multicast: [group(9)] })).not.toThrow()
    expect(memberships(pair)).toEqual([])
  })

  test('has its share of a holder that was killed taken back by reclaim', async () => {
    const pair = bed.pair({ label: 'f2', queues: 2 })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const kept = bed.attach(device, 0)
    kept.setReceiveFilter({ multicast: [group(1)] })
    const grant = device.grant(1, createPlainWindow(64))
    const worker = new Worker(new URL('./filter-worker.ts', import.meta.url), {
      workerData: { grant, multicast: [group(1), group(2)] },
      execArgv: ['--conditions=source'],
    })
    await new Promise((resolve) => worker.once('message', resolve))
    expect(memberships(pair).sort()).toEqual([group(1), group(2)])
    await worker.terminate()
    device.reclaim(grant)
    expect(memberships(pair)).toEqual([group(1)])
    const next = bed.attach(device, 1)
    expect(await countTaken(pair, [kept, next], [1, 2].map(toGroup))).toBe(1)
  })

  test('gives every group to a queue that asks for more than the table holds', async () => {
    const pair = bed.pair({ label: 'f3' })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const queue = bed.attach(device)
    const many = Array.from({ length: GROUPS + 1 }, (_, i) => group(i))
    queue.setReceiveFilter({ multicast: many })
    expect(flags(pair)).toMatch(/allmulti 1/)
    expect(await countTaken(pair, [queue], [toGroup(3), toGroup(200)])).toBe(2)
    queue.setReceiveFilter({ multicast: many.slice(0, GROUPS) })
    expect(flags(pair)).toMatch(/allmulti 0/)
    expect(memberships(pair)).toHaveLength(GROUPS)
    expect(await countTaken(pair, [queue], [toGroup(GROUPS - 1), toGroup(GROUPS)])).toBe(1)
    queue.setReceiveFilter({})
    expect(memberships(pair)).toEqual([])
  })

  test('makes the interface promiscuous while somebody asks for it', async () => {
    const pair = bed.pair({ label: 'f4', queues: 2 })
    const device = await bed.open({ interface: pair.interface, take: 'all' })
    const queues = [bed.attach(device, 0), bed.attach(device, 1)]
    const stranger = ipv4Packet({})
    stranger.set([2, 9, 9, 9, 9, 9])
    expect(await countTaken(pair, queues, [stranger])).toBe(0)
    expect(device.statistics().rxDroppedFilter).toBe(1)
    for (const queue of queues) queue.setReceiveFilter({ promiscuous: true })
    expect(flags(pair)).toMatch(/promiscuity 1/)
    expect(await countTaken(pair, queues, [stranger])).toBe(1)
    queues[0].setReceiveFilter({})
    expect(flags(pair)).toMatch(/promiscuity 1/)
    for (const queue of queues) queue.detach()
    expect(flags(pair)).toMatch(/promiscuity 0/)
  })

  test('is refused for text that is no group address, and unchanged then', async () => {
    const pair = bed.pair({ label: 'f5' })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const queue = bed.attach(device)
    queue.setReceiveFilter({ multicast: [group(1)] })
    for (const text of ['239.1.0.2', '02:00:00:00:00:01']) {
      expect(() => queue.setReceiveFilter({ multicast: [text] })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
    expect(memberships(pair)).toEqual([group(1)])
  })

  test('is one for the processes that share an interface', async () => {
    const pair = bed.pair({ label: 'f6', queues: 2 })
    const owner = startDeviceChild({ interface: pair.interface, addresses: ['10.79.0.1'] }, { queue: 1 })
    expect(await owner.outcome).toBe('open')
    const device = await bed.open({ interface: pair.interface, join: true })
    const queue = bed.attach(device, 0)
    queue.setReceiveFilter({ multicast: [group(5)] })
    // Some flow of the peer reaches our queue, and the owner's rules do not name the group.
    let taken = 0
    for (let n = 0; n < 64 && taken === 0; n++) {
      const packet = toGroup(5)
      packet[37] = n
      taken = await countTaken(pair, [queue], [packet])
    }
    expect(taken).toBe(1)
    owner.process.kill('SIGKILL')
    await owner.ended
  })

  test('makes the interface receive the groups that the rules list', async () => {
    const pair = bed.pair({ label: 'f7' })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1', '239.1.0.7', '239.1.0.8'] })
    const queue = bed.attach(device)
    expect(memberships(pair)).toEqual([group(7), group(8)])
    expect(await countTaken(pair, [queue], [7, 8, 9].map(toGroup))).toBe(2)
    device.take({ addresses: ['10.79.0.1', '239.1.0.8', '239.1.0.9'] })
    expect(memberships(pair)).toEqual([group(8), group(9)])
    expect(await countTaken(pair, [queue], [7, 8, 9].map(toGroup))).toBe(2)
    await device.close()
    await until('the memberships to end', () => memberships(pair).length === 0)
  })
})
