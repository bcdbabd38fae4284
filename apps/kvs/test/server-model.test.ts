import { assertNoLeaks } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KvsClient } from '../src/client/kvs-client.ts'
import { LibOSTransport } from '../src/client/libos-transport.ts'
import { PORT, startCluster } from './support/cluster.ts'
import { TestNetwork } from './support/test-network.ts'

type Command =
  | { op: 'set' | 'add' | 'replace' | 'append' | 'prepend'; key: string; value: Uint8Array; flags: number }
  | { op: 'get' | 'delete' | 'cas' | 'test'; key: string; value: Uint8Array }

const key = fc.constantFrom('a', 'b', 'key-of-16-bytes.', 'k'.repeat(255), 'c', 'd')
const value = fc.uint8Array({ maxLength: 300 })
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    op: fc.constantFrom('set' as const, 'add' as const, 'replace' as const, 'append' as const, 'prepend' as const),
    key,
    value,
    flags: fc.constantFrom(0, 7, 0xffffffff),
  }),
  fc.record({ op: fc.constantFrom('get' as const, 'delete' as const, 'cas' as const, 'test' as const), key, value }),
)

/** The same commands against a Map. */
class Model {
  readonly items = new Map<string, { value: string; flags: number }>()

  run(c: Command): unknown {
    const hex = Buffer.from(c.value).toString('hex')
    const old = this.items.get(c.key)
    switch (c.op) {
      case 'set':
        this.items.set(c.key, { value: hex, flags: c.flags })
        return 'stored'
      case 'add':
        if (old === undefined) this.items.set(c.key, { value: hex, flags: c.flags })
        return old === undefined
      case 'replace':
        if (old !== undefined) this.items.set(c.key, { value: hex, flags: c.flags })
        return old !== undefined
      case 'append':
        if (old !== undefined) this.items.set(c.key, { value: old.value + hex, flags: old.flags })
        return old !== undefined
      case 'prepend':
        if (old !== undefined) this.items.set(c.key, { value: hex + old.value, flags: old.flags })
        return old !== undefined
      case 'get':
        return old
      case 'test':
        return old?.flags
      case 'delete':
        return this.items.delete(c.key)
      case 'cas':
        if (old === undefined) return 'not-found'
        this.items.set(c.key, { value: hex, flags: 0 })
        return 'stored'
    }
  }
}

async function perform(client: KvsClient, c: Command): Promise<unknown> {
  switch (c.op) {
    case 'set':
      await client.set(c.key, c.value, { flags: c.flags })
      return 'stored'
    case 'add':
      return client.add(c.key, c.value, { flags: c.flags })
    case 'replace':
      return client.replace(c.key, c.value, { flags: c.flags })
    case 'append':
      return client.append(c.key, c.value)
    case 'prepend':
      return client.prepend(c.key, c.value)
    case 'get': {
      const item = await client.get(c.key)
      return item && { value: Buffer.from(item.value).toString('hex'), flags: item.flags }
    }
    case 'test':
      return (await client.test(c.key))?.flags
    case 'delete':
      return client.delete(c.key)
    case 'cas': {
      const version = (await client.test(c.key))?.version ?? 1n
      const wrong = await client.cas(c.key, 'never', version + 1n)
      if (wrong === 'stored') return 'a wrong version was taken'
      return client.cas(c.key, c.value, version)
    }
  }
}

async function check(commands: readonly Command[], partitions: number, clientPartitions: number): Promise<void> {
  const network = new TestNetwork()
  const cluster = startCluster(network, partitions)
  const host = network.host('10.0.0.9')
  const transport = new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT })
  const client = new KvsClient(transport, { partitions: clientPartitions })
  const model = new Model()
  let done = false
  const got: unknown[] = []
  const work = (async () => {
    for (const c of commands) got.push(await perform(client, c))
    done = true
  })()
  await network.run(100_000, () => done)
  await work
  expect(got).toEqual(commands.map((c) => model.run(c)))
  await client.close()
  for (const { host: server } of cluster) assertNoLeaks(server.pool)
  assertNoLeaks(host.pool)
}

describe('server against a Map', () => {
  it('agrees on one partition', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), (commands) => check(commands, 1, 1)),
      { numRuns: 25 },
    )
  })

  it('agrees on three partitions that the client knows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), (commands) => check(commands, 3, 3)),
      { numRuns: 10 },
    )
  })

  it('agrees when every operation goes to partition 0 first', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), (commands) => check(commands, 3, 1)),
      { numRuns: 10 },
    )
  })
})
