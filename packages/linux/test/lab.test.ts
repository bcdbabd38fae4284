import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import {
  channelCounts,
  createVethPair,
  inNamespace,
  KernelUdpSocket,
  LinkMonitor,
  PacketSocket,
  queryLink,
  removeStale,
  setTxChecksumOffload,
  socketAddress,
  txChecksumOffload,
  UdpBatchSocket,
  type VethPair,
  type VethPairOptions,
} from '../src/index.ts'
import { requiresLab } from './requirements.ts'

const pairs: VethPair[] = []
const make = (options: VethPairOptions) => {
  const pair = createVethPair(options)
  pairs.push(pair)
  return pair
}
afterEach(() => {
  for (const pair of pairs.splice(0)) pair.remove()
})

const present = (name: string) => existsSync(`/sys/class/net/${name}`) || existsSync(`/run/netns/${name}`)
const settle = () => new Promise((resolve) => setTimeout(resolve, 20))

describe('a veth pair', () => {
  test('has the queues, the MTU and the addresses that were asked for, and none on our end', (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv1', queues: 3, mtu: 1400, peerAddresses: ['10.78.0.2/24', 'fd78::2/64'] })
    expect(queryLink(pair.interface)).toMatchObject({ mtu: 1400, rxQueues: 3, txQueues: 3, up: true, running: true })
    expect(channelCounts(pair.interface)).toEqual({ rx: 3, tx: 3 })
    expect(pair.inside(() => queryLink(pair.peer))).toMatchObject({ mtu: 1400, rxQueues: 3 })
    expect(execFileSync('ip', ['addr', 'show', 'dev', pair.interface], { encoding: 'utf8' })).not.toMatch(/inet/)
    const peer = pair.run('ip', 'addr', 'show', 'dev', pair.peer)
    expect(peer).toContain('inet 10.78.0.2/24')
    expect(peer).toContain('inet6 fd78::2/64')
    expect(pair.mac).not.toBe(pair.peerMac)
  })

  test('computes its checksums, unless it is told not to', (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv2' })
    const partial = make({ label: 'lv3', peerChecksumOffload: true })
    expect(pair.inside(() => txChecksumOffload(pair.peer))).toBe(false)
    expect(partial.inside(() => txChecksumOffload(partial.peer))).toBe(true)
    partial.inside(() => setTxChecksumOffload(partial.peer, false))
    expect(partial.inside(() => txChecksumOffload(partial.peer))).toBe(false)
  })

  test('carries frames, VLAN tags included', async (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv4' })
    const ours = new PacketSocket(pair.interface)
    const theirs = pair.inside(() => new PacketSocket(pair.peer))
    const plain = new Uint8Array(60).fill(1)
    const tagged = Uint8Array.of(...plain.subarray(0, 12), 0x81, 0, 0x20, 0x64, 0x88, 0xb5, ...plain.subarray(16))
    expect(theirs.receive()).toBeUndefined()
    ours.send(plain)
    ours.send(tagged)
    await settle()
    expect(theirs.receive()).toEqual(plain)
    expect(theirs.receive()).toEqual(tagged)
    ours.close()
    theirs.close()
  })

  test('has sockets of the peer kernel', (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv5', peerAddresses: ['10.78.0.2/24'] })
    const [one, other] = pair.inside(() => [new KernelUdpSocket('10.78.0.2', 5000), new KernelUdpSocket('10.78.0.2')])
    expect(one.receive()).toBeUndefined()
    expect(other.sendTo(Uint8Array.of(1, 2, 3), socketAddress('10.78.0.2', 5000))).toBe(true)
    expect([...(one.receive() ?? [])]).toEqual([1, 2, 3])
    one.close()
    other.close()
  })

  test('has sockets of the peer kernel that move batches', (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv10', peerAddresses: ['10.78.0.2/24'] })
    const to = [5001, 5002].map((port) => ({ address: '10.78.0.2', port }))
    const [batch, ...ends] = pair.inside(
      () =>
        [
          new UdpBatchSocket('10.78.0.2', to, { port: 5003, batch: 4, slotBytes: 16 }),
          new KernelUdpSocket('10.78.0.2', 5001),
          new KernelUdpSocket('10.78.0.2', 5002),
        ] as const,
    )
    expect(batch.receive()).toBe(0)
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i)
    for (let i = 0; i < 6; i++) batch.queue(bytes, 10 * i, i + 1, i & 1)
    // A full batch went out by itself, the rest waits.
    expect([...(ends[0].receive() ?? [])]).toEqual([0])
    expect([...(ends[0].receive() ?? [])]).toEqual([20, 21, 22])
    expect(ends[0].receive()).toBeUndefined()
    batch.flush()
    expect([...(ends[0].receive() ?? [])]).toEqual([40, 41, 42, 43, 44])
    for (const length of [2, 4, 6]) expect(ends[1].receive()?.length).toBe(length)

    const own = pair.inside(() => new UdpBatchSocket('10.78.0.2', [{ address: '10.78.0.2', port: 5003 }]))
    for (let i = 0; i < 5; i++) own.queue(bytes, i, 3, 0)
    own.flush()
    expect(batch.receive()).toBe(4)
    expect([...batch.received.subarray(3 * 16, 3 * 16 + batch.length(3))]).toEqual([3, 4, 5])
    expect(batch.receive()).toBe(1)
    expect(batch.receive()).toBe(0)
    expect([own.sendDrops, batch.sendDrops]).toEqual([0, 0])
    for (const socket of [batch, own, ...ends]) socket.close()
  })

  test('is removed with its namespace, and twice does nothing', (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv6' })
    expect(() => make({ label: 'lv6' })).toThrow(expect.objectContaining({ code: 'EEXIST' }))
    pair.remove()
    expect(present(pair.interface)).toBe(false)
    pair.remove()
    make({ label: 'lv6' })
  })

  test('of another thread is left alone, and ends with its thread', async (context) => {
    requiresLab(context)
    const pair = make({ label: 'lv9' })
    const code = `
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}).then(({ createVethPair, removeStale }) => {
        let refused
        try { createVethPair({ label: 'lv9' }) } catch (error) { refused = error.code }
        parentPort.postMessage({ refused, name: createVethPair({ label: 'lva' }).interface, removed: removeStale() })
      })`
    const worker = new Worker(code, { eval: true, execArgv: ['--conditions=source'] })
    const [report] = await once(worker, 'message')
    expect(report).toMatchObject({ refused: 'EEXIST', removed: [] })
    await once(worker, 'exit')
    expect(present(report.name)).toBe(false)
    expect(present(pair.interface)).toBe(true)
  })

  test.for(['exit', 'SIGINT', 'SIGTERM', 'throw', 'SIGKILL'])(
    'does not outlive its process: %s',
    async (end, context) => {
      requiresLab(context)
      const code = `
      const { createVethPair } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
      console.log(createVethPair({ label: 'lvx' }).interface)
      if (${JSON.stringify(end)} === 'throw') throw new Error('on purpose')
      if (${JSON.stringify(end)} === 'exit') process.exit(0)
      setInterval(() => {}, 1000)`
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const name = await new Promise<string>((resolve) =>
        child.stdout.once('data', (data) => resolve(String(data).trim())),
      )
      const gone = new Promise((resolve) => child.once('exit', resolve))
      if (end.startsWith('SIG')) child.kill(end as NodeJS.Signals)
      await gone
      if (end === 'SIGKILL') {
        expect(present(name)).toBe(true)
        expect(removeStale()).toContain(name)
      }
      expect(present(name)).toBe(false)
    },
  )
})

test('refusals name the object and the remedy', (context) => {
  requiresLab(context)
  expect(() => queryLink('pk-none')).toThrow(expect.objectContaining({ code: 'ENODEV', subject: 'pk-none' }))
  expect(() => createVethPair({ label: 'too long' })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => inNamespace('pk-none', () => 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('a link monitor hears of its own interface: down, up, MTU, MAC, removal', async (context) => {
  requiresLab(context)
  const pair = make({ label: 'lv7' })
  const other = make({ label: 'lv8' })
  const monitor = new LinkMonitor(queryLink(pair.interface).index)
  const set = (...words: string[]) => execFileSync('ip', ['link', 'set', ...words])
  expect(monitor.drain()).toEqual([])
  set(other.interface, 'mtu', '1300')
  expect(monitor.drain()).toEqual([])
  pair.run('ip', 'link', 'set', pair.peer, 'down')
  expect(monitor.drain().at(-1)).toMatchObject({ present: true, up: true, running: false })
  pair.run('ip', 'link', 'set', pair.peer, 'up')
  set(pair.interface, 'mtu', '1280')
  set(pair.interface, 'address', '02:00:00:00:00:77')
  expect(monitor.drain().at(-1)).toMatchObject({ running: true, mtu: 1280, mac: Uint8Array.of(2, 0, 0, 0, 0, 0x77) })
  pair.remove()
  expect(monitor.drain().at(-1)).toMatchObject({ present: false, name: pair.interface })
  monitor.close()
  expect(monitor.drain()).toEqual([])
})
