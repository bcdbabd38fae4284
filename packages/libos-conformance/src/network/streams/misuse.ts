import { createPlainWindow, FramePool, ParakernelError } from '@parakernel/hal'
import { type NetworkLibOS, type QueueDescriptor, type QueueToken, sgaFromBytes } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Pair } from '../pair.ts'
import type { Section } from '../section.ts'

/** How a socket of `a` stands when it is misused. */
const STANDINGS = {
  fresh: ({ a }: Pair) => a.socket('stream'),
  bound: (pair: Pair) => {
    const qd = pair.a.socket('stream')
    pair.a.bind(qd, { address: pair.fixture.addressOfA, port: 0 })
    return qd
  },
  listening: (pair: Pair) => pair.listen(pair.a).qd,
  connected: async (pair: Pair) => (await pair.connected()).client,
  served: async (pair: Pair) => {
    const { client } = await pair.connected()
    pair.a.serveStreams(client, () => {})
    return client
  },
  servedListener: (pair: Pair) => {
    const { qd } = pair.listen(pair.a)
    pair.a.serveStreams(qd, () => {})
    return qd
  },
  finished: async (pair: Pair) => {
    const { client } = await pair.connected()
    pair.a.halfClose(client)
    return client
  },
  closed: ({ a }: Pair) => {
    const qd = a.socket('stream')
    a.close(qd)
    return qd
  },
  closing: async (pair: Pair) => {
    const { client } = await pair.connected()
    void pair.a.asyncClose(client)
    return client
  },
  datagram: ({ a }: Pair) => a.socket('datagram'),
  datagramPeer: async (pair: Pair) => {
    const qd = pair.a.socket('datagram')
    await pair.connect(pair.a, qd, pair.open(pair.b).at)
    return qd
  },
} satisfies Record<string, (pair: Pair) => QueueDescriptor | Promise<QueueDescriptor>>

type Standing = keyof typeof STANDINGS
type Call = (a: NetworkLibOS, qd: QueueDescriptor, pair: Pair) => unknown

const bind: Call = (a, qd, { fixture }) => a.bind(qd, { address: fixture.addressOfA, port: 0 })
const listen: Call = (a, qd) => a.listen(qd)
const accept: Call = (a, qd) => a.accept(qd)
const connect: Call = (a, qd, { fixture }) => a.connect(qd, { address: fixture.addressOfB, port: 9 })
const push: Call = (a, qd) => pushArray(a, qd, a.pool)
const pop: Call = (a, qd) => a.pop(qd)
const halfClose: Call = (a, qd) => a.halfClose(qd)
const peerName: Call = (a, qd) => void a.getpeername(qd)
const serve: Call = (a, qd) => a.serveStreams(qd, () => {})

/** What: how the socket stands, what is called, what it says, and whether it says what to do instead. */
const TABLE: readonly (readonly [string, Standing, Call, string, 'remedy'?])[] = [
  ['bind twice', 'bound', bind, 'EINVAL'],
  ['bind when connected', 'connected', bind, 'EINVAL'],
  ['bind to no address', 'fresh', (a, qd) => a.bind(qd, { address: '10.0.0.256', port: 0 }), 'EINVAL'],
  ['bind to an address of the other family', 'fresh', (a, qd) => a.bind(qd, { address: '::', port: 0 }), 'EINVAL'],
  ['bind to a port that is none', 'fresh', (a, qd) => a.bind(qd, { address: '0.0.0.0', port: 65_536 }), 'EINVAL'],
  ['bind to half a port', 'fresh', (a, qd) => a.bind(qd, { address: '0.0.0.0', port: 80.5 }), 'EINVAL'],
  [
    "bind to somebody else's address",
    'fresh',
    (a, qd) => a.bind(qd, { address: '192.0.2.1', port: 0 }),
    'EADDRNOTAVAIL',
  ],
  ['listen when not bound', 'fresh', listen, 'EINVAL', 'remedy'],
  ['listen when connected', 'connected', listen, 'EINVAL'],
  ['listen with a negative backlog', 'bound', (a, qd) => a.listen(qd, -1), 'EINVAL'],
  ['listen with half a backlog', 'bound', (a, qd) => a.listen(qd, 0.5), 'EINVAL'],
  ['listen on a datagram socket', 'datagram', listen, 'ENOTSUP'],
  ['accept when not listening', 'bound', accept, 'EINVAL'],
  ['accept on a connection', 'connected', accept, 'EINVAL'],
  ['push a freed array', 'datagramPeer', pushFreed, 'EINVAL'],
  ['push an array of another pool', 'datagramPeer', pushForeign, 'EINVAL'],
  ['accept on a datagram socket', 'datagram', accept, 'ENOTSUP'],
  ['accept where a handler takes connections', 'servedListener', accept, 'EBUSY'],
  ['connect twice', 'connected', connect, 'EISCONN'],
  ['connect a listener', 'listening', connect, 'EINVAL'],
  ['connect to no address', 'fresh', (a, qd) => a.connect(qd, { address: '', port: 9 }), 'EINVAL'],
  [
    'connect to a port that is none',
    'fresh',
    (a, qd, { fixture }) => a.connect(qd, { address: fixture.addressOfB, port: -1 }),
    'EINVAL',
  ],
  [
    'connect to port 0',
    'fresh',
    (a, qd, { fixture }) => a.connect(qd, { address: fixture.addressOfB, port: 0 }),
    'EINVAL',
  ],
  ['push before connect', 'fresh', push, 'ENOTCONN'],
  ['push on a listener', 'listening', push, 'ENOTCONN'],
  ['push after halfClose', 'finished', push, 'EPIPE'],
  [
    'push to a peer',
    'connected',
    (a, qd, pair) => pair.pushTo(a, qd, 'x', { address: pair.fixture.addressOfB, port: 9 }),
    'EISCONN',
  ],
  ['push a freed array', 'connected', pushFreed, 'EINVAL'],
  ['push an array of another pool', 'connected', pushForeign, 'EINVAL'],
  ['pop before connect', 'bound', pop, 'ENOTCONN'],
  ['pop on a listener', 'listening', pop, 'ENOTCONN'],
  ['pop nothing', 'connected', (a, qd) => a.pop(qd, 0), 'EINVAL'],
  ['pop less than nothing', 'connected', (a, qd) => a.pop(qd, -5), 'EINVAL'],
  ['pop no number', 'connected', (a, qd) => a.pop(qd, Number.NaN), 'EINVAL'],
  ['pop where a handler takes the bytes', 'served', pop, 'EBUSY'],
  ['halfClose when not connected', 'fresh', halfClose, 'ENOTCONN', 'remedy'],
  ['halfClose a listener', 'listening', halfClose, 'ENOTCONN', 'remedy'],
  ['halfClose a datagram socket', 'datagram', halfClose, 'ENOTSUP'],
  ['getpeername when not connected', 'bound', peerName, 'ENOTCONN'],
  ['serveStreams when not connected', 'fresh', serve, 'ENOTCONN', 'remedy'],
  ['serveStreams on a datagram socket', 'datagram', serve, 'ENOTSUP'],
  ['serveDatagrams on a stream', 'connected', (a, qd) => a.serveDatagrams(qd, () => {}), 'ENOTSUP'],
  ['joinGroup on a stream', 'fresh', (a, qd) => a.joinGroup(qd, '224.0.0.9'), 'ENOTSUP'],
  ['sendStream a frame that is none', 'connected', (a, qd) => a.sendStream(qd, 1e6, 0, 1), 'EINVAL', 'remedy'],
  ['sendStream no frame', 'connected', (a, qd) => a.sendStream(qd, -1, 0, 1), 'EINVAL', 'remedy'],
  ['sendStream bytes outside their frame', 'connected', sendOutside, 'EINVAL', 'remedy'],
  [
    'set an option that is none',
    'fresh',
    (a, qd) => a.setsockopt(qd, 'colour' as never, 1 as never),
    'ENOPROTOOPT',
    'remedy',
  ],
  ['set an option of datagrams', 'fresh', (a, qd) => a.setsockopt(qd, 'broadcast', true), 'ENOPROTOOPT', 'remedy'],
  ['set an option to the wrong type', 'fresh', (a, qd) => a.setsockopt(qd, 'noDelay', 1 as never), 'EINVAL'],
  ['set an option out of range', 'fresh', (a, qd) => a.setsockopt(qd, 'linger', -2), 'EINVAL'],
  ['get an option that is none', 'fresh', (a, qd) => void a.getsockopt(qd, 'colour' as never), 'ENOPROTOOPT', 'remedy'],
  ...(['closed', 'closing'] as const).flatMap((standing) =>
    Object.entries({
      bind,
      listen,
      accept,
      connect,
      push,
      pop,
      halfClose,
      peerName,
      serve,
      close: (a, qd) => a.close(qd),
    } as Record<string, Call>).map(([name, call]) => [`${name} when ${standing}`, standing, call, 'EBADF'] as const),
  ),
]

function pushFreed(a: NetworkLibOS, qd: QueueDescriptor): QueueToken {
  const sga = sgaFromBytes(a.pool, Uint8Array.of(1))
  sga.free()
  return a.push(qd, sga)
}

function pushForeign(a: NetworkLibOS, qd: QueueDescriptor): QueueToken {
  return pushArray(a, qd, new FramePool(createPlainWindow(8)))
}

function pushArray(a: NetworkLibOS, qd: QueueDescriptor, pool: FramePool): QueueToken {
  const sga = sgaFromBytes(pool, Uint8Array.of(1))
  try {
    return a.push(qd, sga)
  } finally {
    sga.free()
  }
}

function sendOutside(a: NetworkLibOS, qd: QueueDescriptor): boolean {
  const frame = a.pool.allocate()
  try {
    return a.sendStream(qd, frame, a.pool.address(frame) + a.pool.frameSize - 1, 2)
  } finally {
    a.pool.release(frame)
  }
}

/** One row of the table, with a socket of its own. */
async function misused(pair: Pair, [title, standing, call, code, remedy]: (typeof TABLE)[number]): Promise<void> {
  const { a } = pair
  const qd = await STANDINGS[standing](pair)
  let result: unknown
  try {
    result = call(a, qd, pair)
  } catch (error) {
    expect(error, title).toBeInstanceOf(ParakernelError)
    expect(error, title).toMatchObject({ code, subject: expect.stringMatching(/\S/) })
    if (remedy !== undefined) expect((error as ParakernelError).remedy, title).toMatch(/\S/)
    return
  }
  expect(typeof result, `${title}: neither a token nor an error`).toBe('number')
  const completion = await a.runtime.completion(result as QueueToken)
  expect(completion, title).toMatchObject({ kind: 'failed', code, message: expect.stringMatching(/\S/) })
}

export const misuse: Section = {
  name: 'streams: misuse',
  needs: ['streams'],
  cases(define) {
    for (const standing of Object.keys(STANDINGS) as Standing[]) {
      define(`a ${standing} socket says what is wrong`, async (pair) => {
        for (const row of TABLE) if (row[1] === standing) await misused(pair, row)
      })
    }

    define('every call after shutdown: EBADF', async (pair) => {
      const { a } = pair
      const { client } = await pair.connected()
      await a.shutdown()
      await a.shutdown()
      for (const call of [bind, listen, accept, connect, push, pop, halfClose, peerName, serve] as Call[]) {
        expect(() => call(a, client, pair)).toThrow(expect.objectContaining({ code: 'EBADF' }))
      }
      expect(() => a.socket('stream')).toThrow(expect.objectContaining({ code: 'EBADF' }))
      expect(a.sendStream(client, 0, 0, 1)).toBe(false)
      expect(a.sockets().filter(({ qd }) => qd !== undefined)).toEqual([])
    })
  },
}
