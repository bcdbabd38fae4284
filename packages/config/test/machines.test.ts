import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { LinuxHost } from '@parakernel/linux'
import { expect, onTestFinished, test } from 'vitest'
import { type Config, compose, defineConfig, type Machine } from '../src/index.ts'

// Machines of the packages that are installed, not of stand-ins.

const partition = new URL('./fixtures/peer.ts', import.meta.url)
const emulated = (address: string, more: Config['network'] & object = {}): Config =>
  defineConfig({
    frames: { debug: true },
    network: { libos: 'net', backend: 'emulated', address, ...more } as Config['network'] & object,
  })

async function pair(start: (config: Config, name: string) => Promise<Machine>, more = {}): Promise<[Machine, Machine]> {
  return [await start(emulated('10.0.0.1/24', more), 'a'), await start(emulated('10.0.0.2/24', more), 'b')]
}

test('two machines on a virtual clock, the same run twice', async () => {
  const run = async (): Promise<unknown> => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const [a, b] = await pair((config, name) => compose(config, { partition, name, loop }), {
      latency: 30_000,
      seed: 7,
    })
    loop.start('guest')
    const answers = [
      await a.call(0, 'ask', { address: '10.0.0.2', port: 7 }, 'one'),
      await b.call(0, 'ask', { address: '10.0.0.1', port: 7 }, 'two'),
    ]
    loop.stop()
    await b.stop()
    await a.stop()
    return answers
  }
  const first = await run()
  expect(first).toMatchObject([{ reply: 'one' }, { reply: 'two' }])
  expect(await run()).toEqual(first)
})

test('partitions in workers: every one of them gets its own answers', async () => {
  const [a, b] = await pair((config, name) =>
    compose({ ...config, partitions: name === 'a' ? 2 : 1 }, { partition, name }),
  )
  for (let round = 0; round < 4; round++) {
    for (const from of [0, 1]) {
      expect(await a.call(from, 'ask', { address: '10.0.0.2', port: 7 }, `from ${from}`)).toMatchObject({
        reply: `from ${from}`,
      })
    }
  }
  expect((await a.statistics()).queues.map(({ rxPackets }) => rxPackets > 0)).toEqual([true, true])
  await b.stop()
  await a.stop()
})

test.each(['inline', 'workers'])('a machine with two interfaces, each with a device of its own, %s', async (where) => {
  const inline = where === 'inline'
  const at = (network: string, address: string) => ({ network, address, seed: 3 })
  const middle = emulated('10.0.0.1/24', {
    ...at('front', '10.0.0.1/24'),
    interfaces: [{ name: 'back', backend: 'emulated', ...at('rear', '10.1.0.1/24') }],
  })
  const machines = [
    await compose({ ...middle, partitions: 2 }, { partition, name: 'middle', inline }),
    await compose(emulated('10.0.0.2/24', at('front', '10.0.0.2/24')), { partition, name: 'front', inline }),
    await compose(emulated('10.1.0.2/24', at('rear', '10.1.0.2/24')), { partition, name: 'rear', inline }),
  ]
  expect(machines[0].config.settings.network.interfaces).toMatchObject([
    { name: 'back', backend: 'emulated', options: { address: '10.1.0.1/24' }, backendOptions: { queues: 2 } },
  ])
  for (const from of [0, 1]) {
    for (const address of ['10.0.0.2', '10.1.0.2']) {
      expect(await machines[0].call(from, 'ask', { address, port: 7 }, `${from} ${address}`)).toMatchObject({
        reply: `${from} ${address}`,
      })
    }
  }
  expect(await machines[2].call(0, 'ask', { address: '10.1.0.1', port: 7 }, 'from the rear')).toMatchObject({
    reply: 'from the rear',
  })
  const { interfaces, queues } = await machines[0].statistics()
  expect(interfaces['back'].rxPackets).toBeGreaterThan(2)
  expect(queues).toHaveLength(2)
  for (const machine of machines.reverse()) await machine.stop()
})

test('probes are closed with the machine', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'parakernel-pcap-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const probes = [{ probe: 'pcap', directory }]
  const [a, b] = await pair((config, name) => compose(config, { partition, name }), { probes })
  await a.call(0, 'ask', { address: '10.0.0.2', port: 7 }, 'captured')
  await b.stop()
  await a.stop()
  const files = readdirSync(directory)
  expect(files.length).toBeGreaterThan(0)
  expect(files.some((file) => statSync(join(directory, file)).size > 24 + 16 + 42)).toBe(true)
})

test('memory that can be shared, and cores', async (ctx) => {
  if (process.platform !== 'linux' || !existsSync('/proc/self/fd')) return ctx.skip('memfd and pinning are of Linux')
  const [core] = new LinuxHost().cpus().slice(-1)
  const machine = await compose({ ...emulated('10.0.0.1/24'), memory: 'memfd', cpus: [core] }, { partition })
  expect(await machine.call(0, 'where')).toMatchObject({ kind: 'memfd', host: 'linux' })
  await machine.stop()
  await expect(compose({ ...emulated('10.0.0.1/24'), cpus: [4000] }, { partition })).rejects.toThrow(
    /^cpus: core 4000 is not one that this process may use \(EINVAL\)\. Choose from /,
  )
})

test('the host', async () => {
  const machine = await compose(
    { network: { libos: 'host', address: '127.0.0.1' } },
    { partition: new URL('./fixtures/host-peer.ts', import.meta.url), inline: true },
  )
  expect(machine.device).toBeUndefined()
  expect(await machine.call(0, 'name')).toBe('host at 127.0.0.1')
  expect(await machine.statistics()).toMatchObject({ device: undefined, queues: [] })
  await machine.stop()
})
