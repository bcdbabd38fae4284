import { filterHash, VirtualClock } from '@parakernel/hal'
import { type PartitionRule, RunLoop } from '@parakernel/kernel'
import { expect, onTestFinished, test } from 'vitest'
import { type Config, compose, defineConfig, loadConfig, type Machine } from '../src/index.ts'
import { createApplication } from './support/application.ts'

const partition = new URL('./fixtures/numbered.ts', import.meta.url)
const PARTITIONS = 3
const KEY_BYTES = 8

const rules: PartitionRule[] = [
  { protocol: 'udp', destinationPort: [4000, 4002], partition: 0, spread: 3 },
  { protocol: 'udp', destinationPort: 5000, partition: 0, spread: 3, hash: { offset: 0, length: KEY_BYTES } },
]
const key = (i: number) => `key ${i}`.padEnd(KEY_BYTES)
const ownerOf = (text: string) => filterHash(new TextEncoder().encode(text), 0, KEY_BYTES, 0) % PARTITIONS

const config = (address: string, steering: boolean, more: Config = {}): Config =>
  defineConfig({
    frames: { debug: true },
    ...more,
    network: { libos: 'net', backend: 'emulated', address, steering } as Config['network'] & object,
  })

/** Asks every port, and for many keys; every answer must be that of the right partition. */
async function askAll(client: Machine): Promise<void> {
  for (const port of [0, 1, 2]) {
    expect(await client.call(0, 'ask', { address: '10.0.0.1', port: 4000 + port }, 'port')).toBe(`port at ${port}`)
  }
  for (let i = 0; i < 40; i++) {
    const text = key(i)
    expect(await client.call(0, 'ask', { address: '10.0.0.1', port: 5000 }, text)).toBe(`${text} at ${ownerOf(text)}`)
  }
}

for (const [what, onDevice] of [
  ['as far as the device can', true],
  ['in software alone', false],
] as const) {
  test(`rules of a config bring packets to their partitions: ${what}`, async () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const server = await compose(config('10.0.0.1/24', onDevice, { partitions: PARTITIONS, steering: rules }), {
      partition,
      name: 'server',
      loop,
    })
    const client = await compose(config('10.0.0.2/24', true), { partition, name: 'client', loop })
    loop.start('guest')
    onTestFinished(async () => {
      loop.stop()
      await client.stop()
      await server.stop()
    })
    await askAll(client)
    const { steering } = await server.statistics()
    expect(steering.rules.map(({ where }) => where)).toEqual([onDevice ? 'device' : 'software', 'software'])
    const sum = (name: 'kept' | 'handedOver' | 'takenOver' | 'droppedRingFull') =>
      steering.partitions.reduce((total, one) => total + one[name], 0)
    // One flow carries all keys, so that the device brings them all to one partition: the others' share is misrouted.
    const keys = Array.from({ length: 40 }, (_, i) => ownerOf(key(i)))
    expect(sum('handedOver')).toBeGreaterThanOrEqual(
      Math.min(...[0, 1, 2].map((p) => keys.filter((k) => k !== p).length)),
    )
    expect(sum('takenOver')).toBe(sum('handedOver'))
    expect(sum('droppedRingFull')).toBe(0)
    expect(steering.misroutedShare).toBe(sum('handedOver') / (sum('handedOver') + sum('kept')))
  })
}

test('partitions in workers hand packets to one another', async () => {
  const server = await compose(config('10.0.0.1/24', false, { partitions: PARTITIONS, steering: rules }), {
    partition,
    name: 'server',
  })
  onTestFinished(() => server.stop())
  const client = await compose(config('10.0.0.2/24', true), { partition, name: 'client' })
  onTestFinished(() => client.stop())
  await askAll(client)
  expect((await server.statistics()).steering.misroutedShare).toBeGreaterThan(0)
})

test('a machine without rules has nothing in the way', async () => {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const machine = await compose(config('10.0.0.1/24', true, { partitions: 2 }), { partition, loop })
  onTestFinished(() => machine.stop())
  loop.start('guest')
  expect((await machine.statistics()).steering).toMatchObject({ rules: [], misroutedShare: 0 })
  loop.stop()
})

test('rules that make no sense are refused before anything starts', async () => {
  const problem = async (steering: unknown, more: object = {}) => {
    const application = createApplication().url
    const failure = await loadConfig({ config: { partitions: 2, steering, ...more } as Config, application }).catch(
      (error: Error) => error,
    )
    return (failure as Error).message
  }
  const good = { protocol: 'udp', destinationPort: 7, partition: 1 }
  expect(await problem([{ ...good, partition: 2 }])).toMatch(/steering: steering rule 0: partitions 2 to 2/)
  expect(await problem([good, { protocol: 'udp', partition: 0, spread: 2 }])).toMatch(/steering rule 1: .*hash/)
  expect(await problem([{ ...good, destinationPrt: 7 }])).toMatch(/steering: found/)
  expect(await problem([{ ...good, destination: '10.0.0.0/40' }])).toMatch(/steering rule 0: .*prefix/)
  expect(await problem([good], { network: { libos: 'host' } })).toMatch(/no device/)
})
