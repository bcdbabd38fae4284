import type { EmulatedNic } from '@parakernel/emulated'
import { MonotonicClock, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type ComposeOptions, type Config, ConfigError, compose } from '../src/index.ts'
import { createJournal } from './fixtures/journal.ts'
import type { Data } from './fixtures/partition.ts'

const partition = new URL('./fixtures/partition.ts', import.meta.url)

function scene(config: Config = {}, nic: Record<string, unknown> = {}, data: Partial<Data> = {}) {
  const journal = createJournal()
  onTestFinished(journal.remove)
  const network = { libos: './stack.ts', backend: './nic.ts', journal: journal.path, ...nic }
  const start = (options: Partial<ComposeOptions<Data>> = {}) =>
    compose({ host: 'none', frames: { count: 64 }, ...config, network } as unknown as Config, {
      name: 'm',
      partition,
      data: { journal: journal.path, ...data },
      ...options,
    })
  return { events: journal.events, start }
}

describe.each(['inline', 'workers'])('%s', (where) => {
  const inline = where === 'inline'

  test('starts in order, stops in the reverse order', async () => {
    const { events, start } = scene({ partitions: 2 }, { address: '10.0.0.1' })
    const machine = await start({ inline })
    expect(machine.partitions).toBe(2)
    expect(machine.device?.queues).toBe(2)
    const started = [
      'open 2 queues',
      'grant 0',
      'grant 1',
      'network 0/2 at 10.0.0.1, queues 0, frames 64',
      'partition 0/2 runs',
      'network 1/2 at 10.0.0.1, queues 1, frames 64',
      'partition 1/2 runs',
    ]
    expect(events()).toEqual(started)
    await Promise.all([machine.stop(), machine.stop()])
    expect(events().slice(started.length)).toEqual([
      'partition 1 stops',
      'network 1 shut down',
      'partition 0 stops',
      'network 0 shut down',
      'reclaim 1',
      'reclaim 0',
      'close',
    ])
    expect(await machine.exited).toEqual({ reason: 'stopped' })
    await expect(machine.call(0, 'add', 1, 2)).rejects.toMatchObject({ code: 'ECANCELED' })
  })

  test('calls methods, and hands on what they throw', async () => {
    const { start } = scene({ partitions: 2, heap: '64KiB', frames: { count: 64, reserve: 8, debug: true } })
    const machine = await start({ inline, rings: { slots: 16, slotBytes: 64 } })
    expect(await machine.call(1, 'describe')).toEqual({
      name: 'm-1',
      same: true,
      addresses: ['nowhere'],
      heap: { byteOffset: 64 * 2048, byteLength: 65_536 },
      region: 'plain',
      debug: 'DebugFramePool',
      reserve: 8,
      rings: [
        [16, undefined],
        [16, undefined],
      ],
    })
    expect(await machine.call(0, 'add', 1, 2)).toBe(3)
    await expect(machine.call(0, 'fail')).rejects.toMatchObject({
      code: 'EBADF',
      message: expect.stringMatching(/file 3: is not open/),
    })
    await expect(machine.call(0, 'none')).rejects.toMatchObject({ code: 'ENOSYS' })
    await expect(machine.call(2, 'add')).rejects.toThrow('m: there is no partition 2 (EINVAL). Name one from 0 to 1')
    const statistics = await machine.statistics()
    expect(statistics.device?.rxPackets).toBe(0)
    expect(statistics.queues).toHaveLength(2)
    expect(statistics.partitions).toEqual([{ stack: { partition: 0 } }, { stack: { partition: 1 } }])
    await machine.stop()
  })

  test('queues beyond the partitions are shared out', async () => {
    const { events, start } = scene({ partitions: 2 }, { queues: 5 })
    const warnings: string[] = []
    const machine = await start({ inline, warn: (message) => warnings.push(message) })
    expect(events().filter((event) => event.startsWith('network'))).toEqual([
      'network 0/2 at nowhere, queues 0,2,4, frames 64',
      'network 1/2 at nowhere, queues 1,3, frames 64',
    ])
    expect(warnings).toEqual([expect.stringMatching(/frames\.count is 64, .* may hold 1536; at least 3072 leave room/)])
    await machine.stop()
  })

  test('frames that nobody counted are enough for the rings', async () => {
    const { events, start } = scene({ frames: {} }, { queues: 6 })
    const machine = await start({ inline })
    expect(events().at(-2)).toBe('network 0/1 at nowhere, queues 0,1,2,3,4,5, frames 6144')
    expect(await machine.call(0, 'describe')).toMatchObject({ reserve: 1536 })
    await machine.stop()
  })

  test('data for each partition', async () => {
    const { events, start } = scene({ partitions: 2 })
    const seen: number[] = []
    const data = (index: number): Data => {
      seen.push(index)
      return { journal: '/dev/null' }
    }
    const machine = await start({ inline, data })
    expect(seen).toEqual([0, 1])
    expect(events().some((event) => event.startsWith('partition'))).toBe(false)
    await machine.stop()
  })

  test('a partition that does not start is named, and all that had started is stopped', async () => {
    const { events, start } = scene({ partitions: 3 }, {}, { failAt: 1 })
    await expect(start({ inline })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      subject: 'partition m-1',
      message: 'partition m-1: did not start: udp 10.0.0.1:7: is taken (EADDRINUSE). Take another',
    })
    expect(events().slice(events().indexOf('partition 0/3 runs') + 1)).toEqual([
      'network 1/3 at nowhere, queues 1, frames 64',
      'network 1 shut down',
      'partition 0 stops',
      'network 0 shut down',
      'reclaim 2',
      'reclaim 1',
      'reclaim 0',
      'close',
    ])
  })

  test('a partition module without its export', async () => {
    const { start } = scene()
    const module = new URL('./fixtures/journal.ts', import.meta.url)
    await expect(start({ inline, partition: module })).rejects.toThrow(
      /^partition m: did not start: .*no export "partition"/,
    )
  })
})

test('a partition that dies takes the machine with it', async () => {
  const { events, start } = scene({ partitions: 2 })
  const machine = await start()
  const { exited } = machine
  await machine.call(1, 'crash')
  const exit = await exited
  expect(exit).toMatchObject({
    reason: 'failed',
    error: { message: expect.stringMatching(/^partition m-1: .*struck by lightning/) },
  })
  expect(events().slice(-5)).toEqual(['partition 0 stops', 'network 0 shut down', 'reclaim 1', 'reclaim 0', 'close'])
  await machine.stop()
})

test('a death that nobody asked about is told, and makes the process fail', async () => {
  const { exitCode } = process
  process.exitCode = undefined
  onTestFinished(() => {
    process.exitCode = exitCode
  })
  const { start } = scene({ partitions: 2 })
  const told: string[] = []
  const machine = await start({ warn: (message) => told.push(message) })
  await machine.call(1, 'crash')
  await vi.waitFor(() => expect(process.exitCode).toBe(1), 10_000)
  expect(told).toEqual([expect.stringMatching(/^partition m-1: .*struck by lightning/)])
})

test('what happens to the device is told, until the machine stops', async () => {
  const { start } = scene({}, { queues: 1 })
  const told: string[] = []
  const machine = await start({ inline: true, warn: (message) => told.push(message) })
  const nic = machine.device as EmulatedNic
  nic.setLink(false)
  nic.setLink(true)
  nic.remove()
  expect(told).toEqual([
    `${nic.name}: the link is down`,
    `${nic.name}: the link is up`,
    `${nic.name}: was removed; nothing is sent or received any more`,
  ])
  await machine.stop()
  expect(told).toHaveLength(3)
})

describe('a device that does not start', () => {
  test('open', async () => {
    const { events, start } = scene({}, { fail: 'open' })
    await expect(start()).rejects.toThrow(
      /^device of backend \.\/nic\.ts: did not start: the cable is not plugged in \(EIO\)/,
    )
    expect(events()).toEqual([])
  })

  test('grant', async () => {
    const { events, start } = scene({ partitions: 2 }, { fail: 'grant' })
    await expect(start()).rejects.toThrow(/ queue 1: did not start: queue 1 is broken \(EIO\)/)
    expect(events()).toEqual(['open 2 queues', 'grant 0', 'reclaim 0', 'close'])
  })

  test('too few queues', async () => {
    const { events, start } = scene({ partitions: 3 }, { queues: 2 })
    await expect(start()).rejects.toThrow(/has 2 queues for 3 partitions \(EINVAL\)\. Set partitions to 2/)
    expect(events()).toEqual(['open 2 queues', 'close'])
  })

  test('a backend that this machine cannot run says what would work', async () => {
    const { events, start } = scene({}, { backend: './absent-nic.ts', queues: undefined })
    await expect(start()).rejects.toMatchObject({
      code: 'ENOTSUP',
      message: expect.stringMatching(
        /^backend \.\/absent-nic\.ts: cannot run here: the card \(ENOTSUP\)\. Plug one in\. These work here: .*network\.backend emulated.* or network\.libos host$/,
      ),
    })
    expect(events()).toEqual([])
  })
})

test('a wrong config is refused before anything starts', async () => {
  const { events, start } = scene({ partitions: -1 })
  await expect(start()).rejects.toBeInstanceOf(ConfigError)
  expect(events()).toEqual([])
})

test('a machine on the loop of another, on a virtual clock', async () => {
  const { start } = scene()
  const loop = new RunLoop({ clock: new VirtualClock(5) })
  const first = await start({ loop })
  expect(first.loop).toBe(loop)
  const second = await start({ clock: new VirtualClock() })
  expect(second.loop?.virtual).toBe(true)
  expect(second.loop).not.toBe(loop)
  await first.stop()
  await second.stop()
  const third = await start({ clock: new MonotonicClock() })
  expect(third.loop).toBeUndefined()
  await third.stop()
})

test('a device that the caller opened stays open', async () => {
  const { events, start } = scene()
  const owner = await start()
  const { device } = owner
  if (device === undefined) throw new Error('no device')
  await owner.stop()
  const opened = await (await import('@parakernel/emulated')).backend.open(
    { queues: 1 },
    { clock: new MonotonicClock() },
  )
  const borrower = await start({ devices: { network: opened } })
  expect(borrower.device?.mac).toBe(opened.mac)
  await borrower.stop()
  expect(opened.linkUp).toBe(true)
  expect(events().filter((event) => event.startsWith('open'))).toHaveLength(1)
  await opened.close()
})
