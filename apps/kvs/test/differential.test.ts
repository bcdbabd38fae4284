import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KvsClient } from '../src/client/kvs-client.ts'
import { LibOSTransport } from '../src/client/libos-transport.ts'
import { MEMCACHED_PORT, PORT, startCluster } from './support/cluster.ts'
import { Peer } from './support/peer.ts'
import { TestNetwork } from './support/test-network.ts'

const key = fc.constantFrom('a', 'b', 'c', 'd')
const value = fc.string({ maxLength: 20, unit: fc.constantFrom('x', 'y', '\r', '\n', ' ', '\0') })
const step = fc.record({
  over: fc.constantFrom('native', 'text'),
  op: fc.constantFrom('set', 'add', 'replace', 'append', 'prepend', 'delete'),
  key,
  value,
})

/** One store seen through two protocols: what one writes the other must read, item by item. */
describe('native and memcached views', () => {
  it('agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(1, 3), async (steps, partitions) => {
        const network = new TestNetwork()
        startCluster(network, partitions)
        const peer = new Peer(network)
        const host = network.host('10.0.0.9')
        const client = new KvsClient(new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }), {
          partitions,
        })
        const wait = async <T>(promise: Promise<T>): Promise<T> => {
          let settled = false
          void promise.then(() => {
            settled = true
          })
          await network.run(10_000, () => settled)
          return promise
        }
        for (const { over, op, key, value } of steps) {
          if (over === 'text') {
            if (op === 'delete') peer.text(`delete ${key}\r\n`, MEMCACHED_PORT)
            else peer.text(`${op} ${key} 3 0 ${value.length}\r\n${value}\r\n`, MEMCACHED_PORT)
          } else if (op === 'delete') await wait(client.delete(key))
          else if (op === 'append' || op === 'prepend') await wait(client[op](key, value))
          else await wait(client[op](key, value, { flags: 3 }) as Promise<unknown>)
          for (const one of ['a', 'b', 'c', 'd']) {
            const item = await wait(client.get(one))
            const text = peer.text(`gets ${one}\r\n`, MEMCACHED_PORT)
            const native = item && Buffer.from(item.value).toString('latin1')
            expect(text).toBe(
              item === undefined
                ? 'END\r\n'
                : `VALUE ${one} ${item.flags} ${item.value.length} ${item.version}\r\n${native}\r\nEND\r\n`,
            )
          }
        }
        await client.close()
      }),
      { numRuns: 12 },
    )
  })
})
