import { describe, expect, it } from 'vitest'
import { DgramTransport } from '../src/client/dgram-transport.ts'
import { KvsClient } from '../src/client/kvs-client.ts'
import { LibOSTransport } from '../src/client/libos-transport.ts'
import { RoundTrip } from '../src/client/round-trip.ts'
import { PORT, startCluster } from './support/cluster.ts'
import { TestNetwork } from './support/test-network.ts'

const KEYS = 4000

function connect(network: TestNetwork, partitions: number): KvsClient {
  const { libos } = network.host('10.0.0.9', 1024)
  return new KvsClient(new LibOSTransport(libos, { address: '10.0.0.1', port: PORT }), { partitions })
}

describe('how operations share datagrams', () => {
  // Each answer of 16 sets off 8 operations for each of two partitions; were those sent at once, their answers would set off 4.
  it.each([1, 2, 4])('packets stay full under load, with %d partitions', async (partitions) => {
    const network = new TestNetwork(1)
    startCluster(network, partitions)
    const client = connect(network, partitions)
    let next = 0
    let done = 0
    const lane = async () => {
      while (next < KEYS) await client.set(`key ${next}`, `value ${next++}`)
      done++
    }
    const lanes = Promise.all(Array.from({ length: 256 }, lane))
    await network.run(60_000, () => done === 256)
    await lanes
    const { operations, datagramsSent, timeouts } = client.statistics()
    expect(timeouts).toBe(0)
    expect(operations / datagramsSent).toBeGreaterThan(10)
    await client.close()
  })

  it('a lone operation waits for nobody', async () => {
    const network = new TestNetwork(2)
    startCluster(network, 2)
    const client = connect(network, 2)
    let answered = false
    const one = client.set('key', 'value').then(() => {
      answered = true
    })
    await network.run(1000, () => answered)
    await one
    expect(client.statistics().datagramsSent).toBe(1)
    await client.close()
  })
})

describe('the time-out', () => {
  it('follows slow answers, and comes back to the shortest', () => {
    const roundTrip = new RoundTrip(20e6)
    expect(roundTrip.timeout).toBe(20e6)
    roundTrip.sample(50e6)
    // RFC 6298, section 2.2: SRTT + 4 * RTTVAR, with RTTVAR = R / 2.
    expect(roundTrip.timeout).toBe(150e6)
    for (let i = 0; i < 100; i++) roundTrip.sample(50e6)
    expect(roundTrip.timeout).toBeCloseTo(50e6, -6)
    for (let i = 0; i < 100; i++) roundTrip.sample(1e5)
    expect(roundTrip.timeout).toBe(20e6)
  })

  it('has a limit', () => {
    const roundTrip = new RoundTrip(1e6)
    roundTrip.sample(1e12)
    expect(roundTrip.timeout).toBe(32e6)
  })
})

describe('a server that cannot be reached', () => {
  it.each(['nosuchhost', '1.2.3.4.5', '::1'])('%s is refused at once', (address) => {
    expect(() => new DgramTransport({ address, port: PORT })).toThrow(/is not an IPv4 address \(EINVAL\)/)
  })
})
