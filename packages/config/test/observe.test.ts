import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChromeEvent } from '@parakernel/hal'
import parsePrometheus from 'parse-prometheus-text-format'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Config, compose, type Machine, type ProcessDescription, type ProcessSnapshot } from '../src/index.ts'
import { Exposition } from '../src/observe/exposition.ts'
import { expectChromeTrace } from './support/chrome-trace.ts'
import { ObserverClient } from './support/observer-client.ts'

const partition = new URL('./fixtures/peer.ts', import.meta.url)

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pk-observe-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

let networks = 0
const emulated = (network: string, address: string, more: Partial<Config> = {}, probes: object[] = []): Config =>
  ({ network: { libos: 'net', backend: 'emulated', network, address, probes }, ...more }) as Config

/** A machine with two partitions, observed, and one that asks it. */
async function underLoad(observe: NonNullable<Config['observe']>, probes: object[] = []) {
  const network = `observe-${networks++}`
  const machine = await compose(emulated(network, '10.0.0.1/24', { partitions: 2, observe }, probes), {
    partition,
    name: 'served',
    signals: false,
  })
  onTestFinished(() => machine.stop())
  const asker = await compose(emulated(network, '10.0.0.2/24'), { partition, name: 'asker', signals: false })
  onTestFinished(() => asker.stop())
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await asker.call(0, 'ask', { address: '10.0.0.1', port: 7 }, `${i}`)
      await machine.call(i % 2, 'ask', { address: '10.0.0.2', port: 7 }, `${i}`)
    }
  }
  await ask(8)
  return { machine, ask }
}

const socketIn = () => join(directory, 'pk.sock')

function get(
  address: string,
  path = '/metrics',
  method = 'GET',
): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(`http://${address}${path}`, { method, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), text }),
      )
    })
    call.on('error', reject)
    call.end()
  })
}

async function serves(machine: Machine): Promise<void> {
  expect(await machine.call(0, 'where')).toMatchObject({ kind: 'plain' })
}

describe('the socket', () => {
  test('tells what the machine counts, to everybody who asks', async () => {
    const { machine, ask } = await underLoad({ socket: socketIn() })
    expect(machine.endpoints).toEqual({ socket: socketIn(), prometheus: undefined })
    expect(statSync(socketIn()).mode & 0o777).toBe(0o600)
    const client = new ObserverClient(socketIn())
    const description = await client.next<ProcessDescription>('description')
    expect(description).toMatchObject({
      protocol: 1,
      pid: process.pid,
      machines: [{ name: 'served', partitions: 2, network: 'net on emulated', storage: 'none' }],
    })
    client.send({ get: 'snapshot' })
    const before = await client.next<ProcessSnapshot>('snapshot')
    await ask(15)
    // Nobody speaks any more: what the observer tells is what the machine itself does.
    const { queues } = await machine.statistics()
    client.send({ get: 'snapshot' })
    const { machines, clock } = await client.next<ProcessSnapshot>('snapshot')
    const [{ name, partitions }] = machines
    expect(name).toBe('served')
    expect(partitions.map(({ queues: [queue] }) => queue.counters)).toEqual(queues)
    for (const [i, { state, loop, roundTimes, cpu, ringDepth }] of partitions.entries()) {
      const earlier = before.machines[0].partitions[i]
      expect(state).toBe('running')
      expect(loop.work).toBeGreaterThan(earlier.loop.work)
      expect(ringDepth).toBe(0)
      expect(partitions[i].queues[0].backlog).toBe(0)
      const rounds = roundTimes.counts.reduce((sum, count) => sum + count, 0)
      expect(Math.abs(rounds - loop.busyRounds)).toBeLessThanOrEqual(1)
      if (process.platform === 'linux') {
        expect(cpu?.ran).toBeGreaterThan(earlier.cpu?.ran ?? 0)
        expect(cpu?.ran).toBeLessThan(clock)
      }
    }
  })

  test('sends a snapshot every interval until it is told to end', async () => {
    await underLoad({ socket: socketIn() })
    const client = new ObserverClient(socketIn())
    client.send({ interval: 50 })
    const first = await client.next<ProcessSnapshot>('snapshot')
    const second = await client.next<ProcessSnapshot>('snapshot')
    expect(second.clock).toBeGreaterThan(first.clock)
    client.send({ interval: 0 }, { get: 'metrics' })
    await client.next('metrics')
    const seen = client.messages.length
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(client.messages.length).toBe(seen)
  })

  test('rubbish harms nothing: it is answered, counted, and cut off', async () => {
    const { machine, ask } = await underLoad({ socket: socketIn() })
    const rubbish = new ObserverClient(socketIn())
    rubbish.send(null, 7, [], { get: 'secrets' }, { interval: 1 }, { interval: 'x' }, { trace: -1 })
    expect(await rubbish.next('error')).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('interval') })
    rubbish.socket.write('{{{\n')
    await rubbish.closed
    const endless = new ObserverClient(socketIn())
    endless.socket.write(Buffer.alloc(1 << 20, 0xff))
    await endless.closed
    await ask(5)
    const client = new ObserverClient(socketIn())
    client.send({ get: 'snapshot' })
    const { observer } = await client.next<ProcessSnapshot>('snapshot')
    expect(observer).toMatchObject({ clients: 1, badRequests: 8, dropped: 2 })
    await serves(machine)
  })

  test('a client that asks without reading is not answered for ever', async () => {
    const { machine, ask } = await underLoad({ socket: socketIn() })
    const greedy = connect(socketIn())
    onTestFinished(() => void greedy.destroy())
    greedy.on('error', () => {})
    greedy.pause()
    greedy.write('{"interval":50}\n')
    // More requests than the kernel's buffers have room for answers.
    for (let i = 0; i < 40; i++) greedy.write('{"get":"metrics"}\n'.repeat(100))
    const before = process.memoryUsage().arrayBuffers
    await ask(10)
    const client = new ObserverClient(socketIn())
    let skipped = 0
    while (skipped === 0) {
      client.send({ get: 'snapshot' })
      skipped = (await client.next<ProcessSnapshot>('snapshot')).observer.skipped
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20)
    await serves(machine)
  })

  test('takes so many clients and no more', async () => {
    await underLoad({ socket: socketIn() })
    const clients = Array.from({ length: 16 }, () => new ObserverClient(socketIn()))
    for (const client of clients) await client.next('description')
    const late = new ObserverClient(socketIn())
    expect(await late.next('error')).toMatchObject({ code: 'EBUSY' })
    await late.closed
    clients[0].socket.destroy()
    await expect
      .poll(async () => {
        const again = new ObserverClient(socketIn())
        return again.next('description').then(
          () => true,
          () => false,
        )
      })
      .toBe(true)
  })

  test('a machine stops in order with clients connected, and leaves no socket behind', async () => {
    const { machine } = await underLoad({ socket: socketIn(), prometheus: 0 })
    const client = new ObserverClient(socketIn())
    client.send({ interval: 50 })
    await client.next('snapshot')
    const http = connect({ port: Number(machine.endpoints.prometheus?.split(':')[1]), host: '127.0.0.1' })
    http.on('error', () => {})
    const closed = new Promise((resolve) => http.once('close', resolve))
    await new Promise((resolve) => http.once('connect', resolve))
    await machine.stop()
    expect(existsSync(socketIn())).toBe(false)
    await client.next('end')
    await client.closed
    await closed
    expect(await machine.exited).toEqual({ reason: 'stopped' })
  })

  test('a path that a dead process left is taken over, that of a living one is not', async () => {
    const network = `observe-${networks++}`
    writeFileSync(join(directory, 'file'), 'mine')
    const start = (socket: string) => compose(emulated(network, '10.0.0.1/24', { observe: { socket } }), { partition })
    await expect(start(join(directory, 'file'))).rejects.toMatchObject({
      code: expect.stringMatching(/EADDRINUSE|EIO/),
    })
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('mine')
    await expect(start(join(directory, 'x'.repeat(200)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    const living = createServer().listen(socketIn())
    await new Promise((resolve) => living.once('listening', resolve))
    await expect(start(socketIn())).rejects.toMatchObject({
      code: 'EADDRINUSE',
      subject: `observe.socket ${socketIn()}`,
    })
    await new Promise((resolve) => living.close(resolve))
  })

  test('a socket that a dead process left is taken over', async () => {
    const script = `require('node:net').createServer().listen(${JSON.stringify(socketIn())}, () => console.log('there'))`
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(socketIn())).toBe(true)
    const machine = await compose(
      emulated(`observe-${networks++}`, '10.0.0.1/24', { observe: { socket: socketIn() } }),
      { partition },
    )
    await new ObserverClient(socketIn()).next('description')
    await machine.stop()
    expect(existsSync(socketIn())).toBe(false)
  })

  test('machines of one process share an endpoint, and each has a name of its own', async () => {
    const observe = { socket: socketIn(), prometheus: 0 }
    const start = () =>
      compose(emulated(`observe-${networks++}`, '10.0.0.1/24', { observe }), { partition, name: 'twin' })
    const [one, other] = [await start(), await start()]
    expect(other.endpoints).toEqual(one.endpoints)
    const client = new ObserverClient(socketIn())
    expect(await client.next('description')).toMatchObject({ machines: [{ name: 'twin' }, { name: 'twin#2' }] })
    await one.stop()
    expect(await client.next('description')).toMatchObject({ machines: [{ name: 'twin#2' }] })
    expect((await get(String(other.endpoints.prometheus))).text).not.toContain('machine="twin"')
    await other.stop()
    await client.next('end')
  })
})

describe('/metrics', () => {
  test('an independent parser reads what the machine counts', async () => {
    const { machine } = await underLoad({ prometheus: 0 })
    const { text } = await get(String(machine.endpoints.prometheus))
    const { queues } = await machine.statistics()
    const families = new Map(parsePrometheus(text).map((family) => [family.name, family]))
    const { name: device } = machine.device ?? {}
    const of = (i: number) => ({ machine: 'served', partition: `${i}`, device, queue: `${i}` })
    expect(families.get('parakernel_queue_receive_packets_total')).toMatchObject({
      type: 'COUNTER',
      help: 'Packets received.',
      metrics: queues.map(({ rxPackets }, i) => ({ value: `${rxPackets}`, labels: of(i) })),
    })
    const dropped = families.get('parakernel_queue_receive_dropped_total')?.metrics ?? []
    const filtered = dropped.filter(({ labels }) => labels?.['reason'] === 'filter')
    expect(filtered.map(({ value }) => Number(value))).toEqual(queues.map(({ rxDroppedFilter }) => rxDroppedFilter))
    expect(families.get('parakernel_loop_round_seconds')).toMatchObject({ type: 'HISTOGRAM' })
    // The parser throws the buckets of several label sets together.
    for (const i of [0, 1]) {
      const sample = (name: string) =>
        new RegExp(`^parakernel_loop_round_seconds_${name}{[^}]*partition="${i}"[^}]*} (\\d+)$`, 'gm')
      const buckets = [...text.matchAll(sample('bucket'))].map(([, value]) => Number(value))
      const [[, count]] = text.matchAll(sample('count'))
      expect(buckets.length).toBe(22)
      expect(buckets).toEqual(buckets.toSorted((a, b) => a - b))
      expect(text).toContain(`partition="${i}",le="+Inf"} ${count}\n`)
    }
    for (const { name, type } of families.values()) {
      expect(name).toMatch(/^parakernel_[a-z_]+$/)
      expect(name.endsWith('_total')).toBe(type === 'COUNTER')
    }
  })

  test('promtool finds nothing to mend', async (ctx) => {
    if (spawnSync('promtool', ['--version']).status !== 0)
      return ctx.skip('promtool is missing: apt install prometheus')
    const { machine } = await underLoad({ prometheus: 0 })
    const { text } = await get(String(machine.endpoints.prometheus))
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect([stdout, stderr, status]).toEqual(['', '', 0])
  })

  test('labels and help are escaped', () => {
    const exposition = new Exposition()
    exposition.gauge('nasty', 'back\\slash\nline', { label: 'a"b\\c\nd', empty: '' }, Number.NaN)
    exposition.gauge('nasty', 'not again', {}, Infinity)
    expect(exposition.toString()).toBe(
      '# HELP nasty back\\\\slash\\nline\n# TYPE nasty gauge\nnasty{label="a\\"b\\\\c\\nd",empty=""} NaN\nnasty +Inf\n',
    )
  })

  test('rubbish harms nothing', async () => {
    const { machine } = await underLoad({ prometheus: '127.0.0.1:0' })
    const address = String(machine.endpoints.prometheus)
    expect(await get(address, '/')).toMatchObject({ status: 200 })
    expect(await get(address, '/secrets')).toMatchObject({ status: 404 })
    expect(await get(address, '/metrics', 'POST')).toMatchObject({ status: 405 })
    const [host, port] = address.split(':')
    for (const bytes of [
      Buffer.alloc(100_000, 0xff),
      'GET /metrics HTTP/9\r\n\r\n',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`,
    ]) {
      const socket = connect(Number(port), host)
      socket.on('error', () => {})
      socket.resume()
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(bytes)
      await closed
    }
    const { status, type, text } = await get(address)
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(Number(/parakernel_observer_bad_requests_total (\d+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(5)
    await serves(machine)
  })

  test('a port that somebody has is an error that says so, and nothing is left running', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }
    const config = emulated(`observe-${networks++}`, '10.0.0.1/24', {
      observe: { prometheus: port, socket: socketIn() },
    })
    await expect(compose(config, { partition })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      subject: `observe.prometheus 127.0.0.1:${port}`,
      remedy: 'Choose another port, or 0 for any',
    })
    expect(existsSync(socketIn())).toBe(false)
  })

  test.each(['x', '127.0.0.1:99999', 'host:', '::1:9464', 70_000])(
    '%s is refused before anything starts',
    async (prometheus) => {
      const config = emulated('none', '10.0.0.1/24', { observe: { prometheus } })
      await expect(compose(config, { partition })).rejects.toThrow(
        /observe\.prometheus: found .*, allowed: a port from 0/,
      )
    },
  )
})

describe('a trace', () => {
  test('of the whole run has rounds, sleeps, timers and bursts on one axis of time', async () => {
    const file = join(directory, 'run.json')
    const probes = [{ probe: 'trace', file: join(directory, 'device.json') }, { probe: 'faults' }]
    const { machine } = await underLoad({ trace: file }, probes)
    const { time } = await machine.call<{ time: number }>(1, 'ask', { address: '10.0.0.2', port: 7 }, 'now')
    await machine.stop()
    const trace = expectChromeTrace(JSON.parse(readFileSync(file, 'utf8')))
    expect(trace.otherData).toEqual({ overwritten: 0 })
    const names = (pid: number, tid: number) =>
      new Set(trace.traceEvents.filter((one) => one.pid === pid && one.tid === tid).map(({ name }) => name))
    for (const tid of [0, 1]) {
      expect(names(1, tid)).toContain('round')
      expect(names(1, tid)).toContain('sleep')
      expect(names(2, tid)).toContain('receive')
    }
    expect(new Set([...names(1, 0), ...names(1, 1)])).toContain('timers')
    // The burst that brought the last answer lies in a round of its partition.
    const inMicroseconds = time / 1e3
    const holds = ({ ts, dur = 0 }: ChromeEvent) => ts <= inMicroseconds && inMicroseconds - (ts + dur) < 1e6
    const round = trace.traceEvents.findLast((one) => one.name === 'round' && one.tid === 1 && holds(one))
    expect(round).toBeDefined()
    const bursts = trace.traceEvents.filter(({ name }) => name === 'receive')
    const rounds = trace.traceEvents.filter(({ name }) => name === 'round')
    const lies = (inner: ChromeEvent, outer: ChromeEvent) =>
      inner.tid === outer.tid && inner.ts >= outer.ts && inner.ts + (inner.dur ?? 0) <= outer.ts + (outer.dur ?? 0)
    expect(bursts.filter((burst) => rounds.some((one) => lies(burst, one))).length).toBe(bursts.length)
  })

  test('of a while comes through the socket, and costs nothing afterwards', async () => {
    const { ask } = await underLoad({ socket: socketIn() })
    const client = new ObserverClient(socketIn())
    client.send({ trace: 0.5 }, { trace: 0.5 })
    expect(await client.next('error')).toMatchObject({ code: 'EBUSY' })
    const asking = ask(10)
    const { events, overwritten } = await client.next('trace-end')
    await asking
    const traceEvents = client.messages.flatMap((one) => (one.type === 'trace' ? (one['events'] as ChromeEvent[]) : []))
    expect(traceEvents).toHaveLength(Number(events))
    expect(overwritten).toBe(0)
    expectChromeTrace({ traceEvents })
    expect(traceEvents.filter(({ name }) => name === 'round').length).toBeGreaterThan(10)
  })

  test('is bounded, and says what it lost', async () => {
    const { ask } = await underLoad({ socket: socketIn(), traceEvents: 16 })
    const client = new ObserverClient(socketIn())
    client.send({ trace: 1 })
    const asking = ask(20)
    const { overwritten } = await client.next('trace-end')
    await asking
    expect(overwritten).toBeGreaterThan(0)
    const events = client.messages.flatMap((one) => (one.type === 'trace' ? (one['events'] as ChromeEvent[]) : []))
    expect(events.filter(({ ph }) => ph !== 'M')).toHaveLength(32)
  })

  test('that cannot be written is an error of the end, not of the machine', async () => {
    const warnings: string[] = []
    const trace = join(directory, 'none', 'run.json')
    const machine = await compose(emulated(`observe-${networks++}`, '10.0.0.1/24', { observe: { trace } }), {
      partition,
      warn: (message) => warnings.push(message),
    })
    await machine.stop()
    expect(warnings).toEqual([expect.stringMatching(/run\.json: cannot be written.*observe\.trace/)])
  })
})
