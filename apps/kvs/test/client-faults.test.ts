import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KvsClient } from '../src/client/kvs-client.ts'
import { LibOSTransport } from '../src/client/libos-transport.ts'
import { LoadRunner } from '../src/load/load-runner.ts'
import { LoadStatistics, loadMemory } from '../src/load/load-statistics.ts'
import { workloadByName } from '../src/load/workload.ts'
import { PORT, startCluster } from './support/cluster.ts'
import { TestNetwork } from './support/test-network.ts'

function connect(network: TestNetwork, partitions: number, options = {}): KvsClient {
  const host = network.host('10.0.0.9')
  return new KvsClient(new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }), { partitions, ...options })
}

describe('client over a bad network', () => {
  it('counts every compare-and-swap exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async (seed) => {
        const network = new TestNetwork(seed)
        startCluster(network, 2)
        const client = connect(network, 2, { retries: 40 })
        network.faults = { loss: 0.2, duplication: 0.2, reordering: 0.2 }
        const acknowledged = [0, 0, 0]
        const attempts = [0, 0, 0]
        let running = 3
        const worker = async (id: number) => {
          const key = `counter-${id}`
          await client.add(key, '0')
          for (let i = 0; i < 12; i++) {
            const item = (await client.get(key))!
            const count = Number(Buffer.from(item.value).toString())
            // A swap whose answer was lost shows up as an attempt more than were acknowledged.
            expect(count).toBeGreaterThanOrEqual(acknowledged[id])
            expect(count).toBeLessThanOrEqual(attempts[id])
            attempts[id]++
            if ((await client.cas(key, `${count + 1}`, item.version)) === 'stored') acknowledged[id]++
          }
          running--
        }
        const workers = Promise.all([0, 1, 2].map(worker))
        await network.run(600_000, () => running === 0)
        await workers
        const { retries, lateResponses } = client.statistics()
        expect(retries).toBeGreaterThan(0)
        expect(lateResponses).toBeGreaterThan(0)
        await client.close()
      }),
      { numRuns: 5 },
    )
  })

  it('never gives one key the value of another, nor one that was not written', async () => {
    const network = new TestNetwork(5)
    startCluster(network, 2)
    network.faults = { loss: 0.1, duplication: 0.1, reordering: 0.3 }
    const host = network.host('10.0.0.9', 1024)
    const statistics = new LoadStatistics(loadMemory())
    const runner = new LoadRunner(
      new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }),
      {
        workload: workloadByName('mica-small-zipf-50'),
        keys: 300,
        duration: 400,
        outstanding: 64,
        batch: 8,
        rate: 0,
        seed: 3,
        timeout: 5,
        partitions: 1,
      },
      statistics,
    )
    await network.run(20_000, () => {
      runner.tick()
      return runner.done
    })
    const load = statistics.counters.snapshot()
    expect(runner.done).toBe(true)
    expect(load.operations).toBeGreaterThan(3000)
    expect(load.hits).toBeGreaterThan(1000)
    expect([load.wrong, load.refused]).toEqual([0, 0])
    expect(load.retries).toBeGreaterThan(10)
    expect(load.lateResponses).toBeGreaterThan(10)
  })

  it('is exact where nothing is doubled or delayed', async () => {
    const network = new TestNetwork(6)
    startCluster(network, 3)
    network.faults = { loss: 0.05 }
    const host = network.host('10.0.0.9', 1024)
    const statistics = new LoadStatistics(loadMemory())
    const runner = new LoadRunner(
      new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }),
      {
        workload: workloadByName('ycsb-f'),
        keys: 200,
        duration: 300,
        outstanding: 32,
        batch: 4,
        rate: 0,
        seed: 4,
        timeout: 5,
      },
      statistics,
    )
    await network.run(20_000, () => {
      runner.tick()
      return runner.done
    })
    const load = statistics.counters.snapshot()
    expect([load.wrong, load.stale, load.staleAfterRetry, load.timeouts]).toEqual([0, 0, 0, 0])
    expect(load.misses).toBe(0)
    expect(load.operations).toBeGreaterThan(500)
    expect(runner.engine.partitions).toBe(3)
  })

  it('finds a value that was damaged', async () => {
    const network = new TestNetwork(7)
    startCluster(network, 1)
    const host = network.host('10.0.0.9', 1024)
    const statistics = new LoadStatistics(loadMemory())
    const runner = new LoadRunner(
      new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }),
      { workload: workloadByName('ycsb-c'), keys: 50, duration: 50, outstanding: 4, batch: 1, rate: 0, seed: 4 },
      statistics,
    )
    let damaged = 0
    network.tamper = (bytes) => {
      // One bit in one of the values that are read; a response has the lowest flag set.
      if (damaged > 0 || statistics.counters.get('phase') !== 2 || (bytes[3] & 1) === 0 || bytes.length < 900) return
      bytes[500] ^= 4
      damaged++
    }
    await network.run(20_000, () => {
      runner.tick()
      return runner.done
    })
    expect([damaged, statistics.counters.get('wrong')]).toEqual([1, 1])
  })

  it('gives up after its retries, and fails what is pending on close', async () => {
    const network = new TestNetwork()
    const client = connect(network, 1, { timeout: 2, retries: 2 })
    const errors: (string | undefined)[] = []
    client.submit({ opcode: 1, key: 'a' }, (error) => errors.push(error?.code))
    client.submit({ opcode: 1, key: '' }, (error) => errors.push(error?.code))
    client.submit({ opcode: 2, key: 'a', value: 'x'.repeat(1500) }, (error) => errors.push(error?.code))
    await network.run(100, () => errors.length === 3)
    expect(errors).toEqual(['EINVAL', 'EMSGSIZE', 'ETIMEDOUT'])
    expect(client.statistics().retries).toBe(2)
    client.submit({ opcode: 1, key: 'a' }, (error) => errors.push(error?.code))
    await client.close()
    client.submit({ opcode: 1, key: 'a' }, (error) => errors.push(error?.code))
    expect(errors.slice(3)).toEqual(['ECANCELED', 'ECANCELED'])
  })

  it('batches what one turn issues, and waits when everything is in use', async () => {
    const network = new TestNetwork()
    startCluster(network, 1)
    const client = connect(network, 1, { batch: 8, outstanding: 16 })
    let answers = 0
    for (let i = 0; i < 100; i++) client.submit({ opcode: 2, key: `key-${i}`, value: `${i}` }, () => answers++)
    await network.run(1000, () => answers === 100)
    expect(answers).toBe(100)
    expect(client.statistics().datagramsSent).toBeLessThanOrEqual(100 / 4)
    await client.close()
  })
})
