import { assertNoLeaks } from '@parakernel/hal'
import { type Completion, type QueueToken, sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { libos } from '../src/index.ts'
import { SERVER_MAC } from './support/frames.ts'
import { type Machine, Machines, MILLISECOND, SECOND } from './support/machines.ts'

const OPTIONS = { address: '10.0.0.1/24', seed: 3 } as const

/** Two partitions at 10.0.0.1, each with a queue of one NIC: port 1000 + i is partition i's. A peer at 10.0.0.2. */
async function bed() {
  const machines = new Machines()
  const [holder, neighbour] = await machines.addPartitions({
    options: OPTIONS,
    partitions: 2,
    nic: { mac: SERVER_MAC },
  })
  const [nic] = machines.nics
  for (const rule of libos.steeringRules(OPTIONS, 2)) nic.steer(rule)
  for (const queue of [0, 1]) {
    for (const protocol of ['udp', 'tcp'] as const) nic.steer({ protocol, destinationPort: 1000 + queue, queue })
  }
  const peer = await machines.add({ options: { ...OPTIONS, address: '10.0.0.2/24' } })
  machines.run(2 * SECOND)
  return { machines, nic, holder, neighbour, peer }
}

type Bed = Awaited<ReturnType<typeof bed>>

/** Tokens of every kind that wait for the holder's queue, under names. */
function pending({ holder, peer, machines }: Bed): Map<string, QueueToken> {
  const { libos: net, runtime, pool } = holder
  const tokens = new Map<string, QueueToken>()
  const bound = net.socket('datagram')
  net.bind(bound, { address: '0.0.0.0', port: 1000 })
  tokens.set('pop', net.pop(bound))
  tokens.set('pop again', net.pop(bound))
  const connected = net.socket('datagram')
  runtime.wait(net.connect(connected, { address: '10.0.0.2', port: 9 }))
  tokens.set('pop of a connected socket', net.pop(connected))
  const unknown = sgaFromBytes(pool, new Uint8Array(10))
  tokens.set('push to a neighbour that does not answer', net.pushTo(bound, unknown, { address: '10.0.0.77', port: 9 }))
  unknown.free()
  const listener = net.socket('stream')
  net.bind(listener, { address: '10.0.0.1', port: 1000 })
  net.listen(listener)
  tokens.set('accept', net.accept(listener))
  const anywhere = net.socket('stream')
  net.bind(anywhere, { address: '0.0.0.0', port: 1002 })
  net.listen(anywhere)
  tokens.set('accept at every address', net.accept(anywhere))
  tokens.set('connect', net.connect(net.socket('stream'), { address: '10.0.0.78', port: 80 }))

  const server = peer.libos.socket('stream')
  peer.libos.bind(server, { address: '10.0.0.2', port: 80 })
  peer.libos.listen(server)
  const stream = () => {
    const qd = net.socket('stream')
    expect(runtime.wait(net.connect(qd, { address: '10.0.0.2', port: 80 }), SECOND).kind).toBe('connect')
    return qd
  }
  const reader = stream()
  tokens.set('pop of a stream', net.pop(reader))
  // Nobody reads at the other end: pushes come to wait.
  const writer = stream()
  const chunk = sgaFromBytes(pool, new Uint8Array(60_000))
  for (let i = 0; ; i++) {
    const token = net.push(writer, chunk)
    machines.run(100 * MILLISECOND)
    if (runtime.isPending(token)) {
      tokens.set('push', token)
      break
    }
    expect(runtime.wait(token).kind).toBe('push')
    if (i === 100) throw new Error('the peer takes everything')
  }
  tokens.set('close', net.asyncClose(writer))
  chunk.free()
  return tokens
}

const failure = (completion: Completion) => (completion.kind === 'failed' ? completion.code : completion.kind)

/** Sends a datagram each millisecond from the peer to the neighbour; the longest time between two arrivals, and their number. */
function stream({ machines, neighbour, peer }: Bed) {
  const seen = { count: 0, longestGap: 0, sent: 0 }
  const { loop } = machines
  let last = machines.now
  const server = neighbour.libos.socket('datagram')
  neighbour.libos.bind(server, { address: '0.0.0.0', port: 1001 })
  neighbour.libos.serveDatagrams(server, (burst) => {
    seen.count += burst.count
    seen.longestGap = Math.max(seen.longestGap, machines.now - last)
    last = machines.now
  })
  const client = peer.libos.socket('datagram')
  loop.timers.every(MILLISECOND, () => {
    const sga = sgaFromBytes(peer.pool, Uint8Array.of(1, 2, 3))
    const token = peer.libos.pushTo(client, sga, { address: '10.0.0.1', port: 1001 })
    peer.runtime.notify(token, () => {})
    sga.free()
    seen.sent++
  })
  return seen
}

const ends = {
  'is reclaimed': { code: 'ECANCELED', end: ({ nic, holder }: Bed) => nic.reclaim(holder.queues[0].grant) },
  'is given back': { code: 'ECANCELED', end: ({ holder }: Bed) => holder.queues[0].detach() },
  'goes with its device': { code: 'ENODEV', end: ({ nic }: Bed) => nic.remove() },
} as const

describe.each(Object.entries(ends))('the libOS whose queue %s', (name, { code, end }) => {
  it(`fails every token that waits for it, once, with ${code}, and holds no frame`, async () => {
    const all = await bed()
    const { machines, holder } = all
    const traffic = name === 'goes with its device' ? undefined : stream(all)
    const tokens = pending(all)
    const { runtime } = holder
    for (const [what, token] of tokens) expect([what, runtime.isPending(token)]).toEqual([what, true])
    const ping = holder.libos.ping('10.0.0.79')
    const outstanding = runtime.outstanding
    if (traffic !== undefined) traffic.longestGap = 0

    end(all)
    machines.run(10 * MILLISECOND)
    expect(runtime.outstanding).toBe(outstanding)
    for (const [what, token] of tokens) {
      expect([what, runtime.isPending(token)]).toEqual([what, false])
      expect([what, failure(runtime.wait(token, 0))]).toEqual([what, code])
      expect(() => runtime.wait(token, 0)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
    expect(runtime.strays).toBe(0)
    expect(await ping).toMatchObject({ kind: 'failed' })

    holder.queues[0].detach()
    assertNoLeaks(holder.pool)
    machines.run(SECOND)
    if (traffic !== undefined) {
      expect(traffic.longestGap).toBeLessThan(2 * MILLISECOND)
      expect(traffic.sent - traffic.count).toBeLessThan(3)
    }
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('lets nothing wait that comes later', async () => {
    const all = await bed()
    const { machines, holder } = all
    const { libos: net, runtime, pool } = holder
    const socket = net.socket('datagram')
    net.bind(socket, { address: '10.0.0.1', port: 1000 })
    const listener = net.socket('stream')
    net.bind(listener, { address: '0.0.0.0', port: 1000 })
    net.listen(listener)
    end(all)
    machines.run(MILLISECOND)
    expect(failure(runtime.wait(net.pop(socket), 0))).toBe(code)
    expect(failure(runtime.wait(net.accept(listener), 0))).toBe(code)
    expect(failure(runtime.wait(net.connect(net.socket('stream'), { address: '10.0.0.2', port: 80 }), 0))).toBe(
      'ENETUNREACH',
    )
    const sga = sgaFromBytes(pool, new Uint8Array(10))
    expect(failure(runtime.wait(net.pushTo(socket, sga, { address: '10.0.0.2', port: 9 }), 0))).toBe('ENETUNREACH')
    sga.free()
    machines.run(10 * SECOND)
    holder.queues[0].detach()
    await net.shutdown()
    assertNoLeaks(pool)
    await machines.close()
  })
})

it('what had arrived can still be read, and the loopback interface goes on', async () => {
  const all = await bed()
  const { machines, nic, holder, peer } = all
  const { libos: net, runtime } = holder
  const send = (from: Machine, address: string) => {
    const socket = from.libos.socket('datagram')
    const sga = sgaFromBytes(from.pool, Uint8Array.of(7))
    from.runtime.wait(from.libos.pushTo(socket, sga, { address, port: 1000 }), SECOND)
    sga.free()
    machines.run(10 * MILLISECOND)
  }
  const socket = net.socket('datagram')
  net.bind(socket, { address: '10.0.0.1', port: 1000 })
  const inner = net.socket('datagram')
  net.bind(inner, { address: '127.0.0.1', port: 1000 })
  send(peer, '10.0.0.1')
  nic.reclaim(holder.queues[0].grant)
  machines.run(MILLISECOND)
  const first = runtime.wait(net.pop(socket), 0)
  expect(first.kind).toBe('pop')
  if (first.kind === 'pop') first.sga.free()
  expect(failure(runtime.wait(net.pop(socket), 0))).toBe('ECANCELED')
  const waiting = net.pop(inner)
  send(holder, '127.0.0.1')
  const second = runtime.wait(waiting, 0)
  expect(second.kind).toBe('pop')
  if (second.kind === 'pop') second.sga.free()
  await machines.close()
  for (const { pool } of machines.all) assertNoLeaks(pool)
})

it('an interface that keeps a queue goes on with it', async () => {
  const machines = new Machines()
  const holder = await machines.add({ options: OPTIONS, queues: 2, nic: { mac: SERVER_MAC } })
  const [nic] = machines.nics
  nic.setIndirection(new Array(128).fill(0))
  // What goes to an odd address goes by the second queue.
  const peer = await machines.add({ options: { ...OPTIONS, address: '10.0.0.3/24' } })
  const socket = holder.libos.socket('datagram')
  holder.libos.bind(socket, { address: '0.0.0.0', port: 7 })
  const back = peer.libos.socket('datagram')
  peer.libos.bind(back, { address: '0.0.0.0', port: 9 })
  const exchange = () => {
    const answer = peer.libos.pop(back)
    const sga = sgaFromBytes(holder.pool, Uint8Array.of(1))
    const push = holder.libos.pushTo(socket, sga, { address: '10.0.0.3', port: 9 })
    sga.free()
    expect(holder.runtime.wait(push, 5 * SECOND).kind).toBe('push')
    const got = peer.runtime.wait(answer, SECOND)
    expect(got.kind).toBe('pop')
    if (got.kind === 'pop') got.sga.free()
  }
  exchange()
  expect(nic.queueStatistics(1).txPackets).toBeGreaterThan(0)
  const pop = holder.libos.pop(socket)
  nic.reclaim(holder.queues[1].grant)
  machines.run(SECOND)
  expect(holder.runtime.isPending(pop)).toBe(true)
  exchange()
  await machines.close()
  for (const { pool } of machines.all) assertNoLeaks(pool)
})
