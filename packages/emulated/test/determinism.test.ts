import { createHash } from 'node:crypto'
import { BROADCAST_MAC, CHECKSUM_WANTED, NET_COUNTERS } from '@parakernel/hal'
import { expect, it } from 'vitest'
import { Lab } from './support/lab.ts'
import { build, payloadOf } from './support/packets.ts'

/** A busy network with latencies, rates, small rings, steering and RSS, driven by a seeded generator; a digest of all that happened. */
async function run(seed: number): Promise<{ digest: string; packets: number }> {
  await using lab = new Lab({ seed })
  const digest = createHash('sha256')
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return ((state >>> 8) * below) >>> 24
  }
  const rates = [0, 1e9, 10e9, 2.5e9]
  const stations = rates.flatMap((rate, i) => lab.nic({ queues: 2, ringSize: 16, rate, latency: i * 700 }))
  stations[2].nic.steer({ protocol: 'udp', destinationPort: [10, 19], queue: 0, spread: 2 })
  let packets = 0
  for (let step = 0; step < 4000; step++) {
    const from = stations[random(stations.length)]
    const to = random(20) === 0 ? BROADCAST_MAC : stations[random(stations.length)].nic.mac
    const spec = { from: from.nic.mac, to, sourcePort: random(50), destinationPort: random(30) }
    const { bytes, transport } = build({ ...spec, payload: payloadOf(20 + random(1200), step) })
    const wanted = random(2) ? { flags: CHECKSUM_WANTED, checksumStart: transport, checksumOffset: 6 } : {}
    digest.update(`${from.send(bytes, wanted)} `)
    if (random(3) === 0) lab.clock.advance(random(3000))
    if (random(4) === 0) lab.clock.advanceTo(Math.min(lab.network.nextDelivery(), lab.clock.now() + 1e6))
    for (const { bytes, flags, hash, timestamp } of stations[random(stations.length)].receive()) {
      digest.update(bytes).update(`${flags} ${hash} ${timestamp} ${lab.clock.now()}\n`)
      packets++
    }
    if (step % 500 === 499) stations[random(stations.length)].nic.setLink(random(2) === 0)
  }
  lab.clock.advance(1e9)
  for (const station of stations) {
    for (const { bytes, timestamp } of station.receive()) digest.update(bytes).update(`${timestamp}\n`)
    digest.update(JSON.stringify(NET_COUNTERS.map((name) => station.queue.counters.get(name))))
  }
  digest.update(JSON.stringify(lab.network.statistics()))
  return { digest: digest.digest('hex'), packets }
}

it('the same seed is the same run, byte for byte; another seed is another', async () => {
  const first = await run(42)
  expect(first.packets).toBeGreaterThan(500)
  expect(await run(42)).toEqual(first)
  expect((await run(43)).digest).not.toBe(first.digest)
})
