import { assertNoLeaks } from '@parakernel/hal'
import { afterEach, describe, expect, it } from 'vitest'
import { MEMCACHED_PORT, type Partition, startCluster } from './support/cluster.ts'
import { Peer } from './support/peer.ts'
import { TestNetwork } from './support/test-network.ts'

let cluster: Partition[] = []
let peer: Peer

function start(partitions = 1, options = {}): TestNetwork {
  const network = new TestNetwork()
  cluster = startCluster(network, partitions, { wallClock: () => 1_000_000_000_000, ...options })
  peer = new Peer(network)
  return network
}

const ask = (request: string) => peer.text(request, MEMCACHED_PORT)

afterEach(() => {
  for (const { host } of cluster) assertNoLeaks(host.pool)
})

describe('memcached text over UDP', () => {
  it('stores and retrieves', () => {
    start()
    expect(ask('get a\r\n')).toBe('END\r\n')
    expect(ask('set a 7 0 5\r\nhello\r\n')).toBe('STORED\r\n')
    expect(ask('get a\r\n')).toBe('VALUE a 7 5\r\nhello\r\nEND\r\n')
    expect(ask('set b 4294967295 0 0\r\n\r\n')).toBe('STORED\r\n')
    expect(ask('get b a c\r\n')).toBe('VALUE b 4294967295 0\r\n\r\nVALUE a 7 5\r\nhello\r\nEND\r\n')
  })

  it('has the conditional stores', () => {
    start()
    expect(ask('add k 0 0 1\r\n1\r\n')).toBe('STORED\r\n')
    expect(ask('add k 0 0 1\r\n2\r\n')).toBe('NOT_STORED\r\n')
    expect(ask('replace k 0 0 1\r\n3\r\n')).toBe('STORED\r\n')
    expect(ask('replace x 0 0 1\r\n3\r\n')).toBe('NOT_STORED\r\n')
    expect(ask('append k 9 9 2\r\n45\r\n')).toBe('STORED\r\n')
    expect(ask('prepend k 0 0 2\r\n12\r\n')).toBe('STORED\r\n')
    expect(ask('append x 0 0 1\r\n1\r\n')).toBe('NOT_STORED\r\n')
    expect(ask('get k\r\n')).toBe('VALUE k 0 5\r\n12345\r\nEND\r\n')
  })

  it('compares and swaps', () => {
    start()
    expect(ask('cas k 0 0 1 1\r\nx\r\n')).toBe('NOT_FOUND\r\n')
    ask('set k 0 0 1\r\na\r\n')
    const unique = /VALUE k 0 1 (\d+)\r\na\r\nEND/.exec(ask('gets k\r\n'))![1]
    expect(ask(`cas k 0 0 1 ${BigInt(unique) + 1n}\r\nx\r\n`)).toBe('EXISTS\r\n')
    expect(ask(`cas k 0 0 1 ${unique}\r\nb\r\n`)).toBe('STORED\r\n')
    expect(ask(`cas k 0 0 1 ${unique}\r\nc\r\n`)).toBe('EXISTS\r\n')
    expect(ask('get k\r\n')).toBe('VALUE k 0 1\r\nb\r\nEND\r\n')
  })

  it('counts in text, as memcached does', () => {
    start()
    expect(ask('incr n 1\r\n')).toBe('NOT_FOUND\r\n')
    ask('set n 5 0 2\r\n10\r\n')
    expect(ask('incr n 5\r\n')).toBe('15\r\n')
    expect(ask('decr n 6\r\n')).toBe('9\r\n')
    // The item keeps its length.
    expect(ask('get n\r\n')).toBe('VALUE n 5 2\r\n9 \r\nEND\r\n')
    expect(ask('incr n 100\r\n')).toBe('109\r\n')
    expect(ask('decr n 1000\r\n')).toBe('0\r\n')
    ask('set n 0 0 20\r\n18446744073709551615\r\n')
    expect(ask('incr n 2\r\n')).toBe('1\r\n')
    ask('set n 0 0 1\r\nx\r\n')
    expect(ask('incr n 1\r\n')).toBe('CLIENT_ERROR cannot increment or decrement non-numeric value\r\n')
    expect(ask('incr n one\r\n')).toBe('CLIENT_ERROR invalid numeric delta argument\r\n')
    expect(ask('incr n 18446744073709551616\r\n')).toBe('CLIENT_ERROR invalid numeric delta argument\r\n')
  })

  it('deletes, touches, flushes', async () => {
    const network = start()
    expect(ask('delete k\r\n')).toBe('NOT_FOUND\r\n')
    ask('set k 0 0 1\r\nx\r\n')
    expect(ask('delete k 0\r\n')).toBe('DELETED\r\n')
    expect(ask('delete k 5\r\n')).toBe('CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n')
    ask('set k 0 0 1\r\nx\r\n')
    expect(ask('touch k 2\r\n')).toBe('TOUCHED\r\n')
    expect(ask('touch nobody 2\r\n')).toBe('NOT_FOUND\r\n')
    expect(ask('touch k soon\r\n')).toBe('CLIENT_ERROR invalid exptime argument\r\n')
    await network.run(1000)
    expect(ask('get k\r\n')).toContain('VALUE')
    await network.run(1001)
    expect(ask('get k\r\n')).toBe('END\r\n')
    ask('set k 0 0 1\r\nx\r\n')
    expect(ask('gat 1 k\r\n')).toBe('VALUE k 0 1\r\nx\r\nEND\r\n')
    await network.run(1001)
    expect(ask('get k\r\n')).toBe('END\r\n')
    ask('set k 0 0 1\r\nx\r\n')
    expect(ask('flush_all\r\n')).toBe('OK\r\n')
    expect(ask('get k\r\n')).toBe('END\r\n')
    ask('set k 0 0 1\r\nx\r\n')
    expect(ask('flush_all 1\r\n')).toBe('OK\r\n')
    expect(ask('get k\r\n')).toContain('VALUE')
    await network.run(1001)
    expect(ask('get k\r\n')).toBe('END\r\n')
  })

  it('knows times that are relative, absolute, and over', async () => {
    const network = start()
    ask('set gone 0 -1 1\r\nx\r\n')
    expect(ask('get gone\r\n')).toBe('END\r\n')
    // 2001-09-09 is now; a date one second ahead.
    ask('set date 0 1000000001 1\r\nx\r\n')
    expect(ask('get date\r\n')).toContain('VALUE')
    await network.run(1001)
    expect(ask('get date\r\n')).toBe('END\r\n')
    ask('set past 0 999999999 1\r\nx\r\n')
    expect(ask('get past\r\n')).toBe('END\r\n')
  })

  it('runs the commands of a datagram in order, and is silent on noreply', () => {
    start()
    expect(ask('set a 0 0 1 noreply\r\nx\r\nget a\r\ndelete a noreply\r\nget a\r\nversion\r\n')).toMatch(
      /^VALUE a 0 1\r\nx\r\nEND\r\nEND\r\nVERSION .+\r\n$/,
    )
    expect(ask('verbosity 1\r\n')).toBe('OK\r\n')
    expect(ask('flush_all noreply\r\n')).toBe('')
    expect(ask('stats\r\n')).toMatch(/^(STAT \w+ \S+\r\n)+END\r\n$/)
    expect(ask('stats settings\r\n')).toBe('END\r\n')
    expect(ask('stats reset\r\n')).toBe('RESET\r\n')
  })

  it('says what is wrong, exactly, and counts it', () => {
    start()
    const long = 'k'.repeat(251)
    const cases: [string, string][] = [
      ['nonsense\r\n', 'ERROR\r\n'],
      ['\r\n', 'ERROR\r\n'],
      ['get\r\n', 'ERROR\r\n'],
      ['get a', 'ERROR\r\n'],
      [`get ${long}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
      [`set ${long} 0 0 1\r\nx\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
      ['set a 0 0\r\nx\r\n', 'ERROR\r\n'],
      ['set a b 0 1\r\nx\r\n', 'CLIENT_ERROR bad command line format\r\n'],
      ['set a 0 0 -1\r\nx\r\n', 'CLIENT_ERROR bad command line format\r\n'],
      ['set a 4294967296 0 1\r\nx\r\n', 'CLIENT_ERROR bad command line format\r\n'],
      ['set a 0 0 5\r\nabc\r\n', 'CLIENT_ERROR bad data chunk\r\n'],
      ['set a 0 0 1\r\nabc\r\n', 'CLIENT_ERROR bad data chunk\r\n'],
      ['cas a 0 0 1 x\r\na\r\n', 'CLIENT_ERROR bad command line format\r\n'],
      ['incr a\r\n', 'ERROR\r\n'],
    ]
    for (const [request, answer] of cases) expect([request, ask(request)]).toEqual([request, answer])
    const { counters } = cluster[0].server.state
    expect(counters.get('malformed') + counters.get('unknownOperation')).toBe(cases.length)
    expect(counters.get('unknownOperation')).toBe(2)
    const multi = Uint8Array.from([0, 9, 0, 0, 0, 2, 0, 0, ...Buffer.from('get a\r\n')])
    const [reply] = peer.exchange(multi, MEMCACHED_PORT)
    expect(Buffer.from(reply.subarray(8)).toString()).toBe('SERVER_ERROR multi-packet request not supported\r\n')
    expect(peer.exchange(Uint8Array.of(1, 2, 3), MEMCACHED_PORT)).toEqual([])
    expect(counters.get('notARequest')).toBe(1)
  })

  it('answers in several datagrams', () => {
    start()
    const value = 'v'.repeat(1000)
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`)
    for (const key of keys) ask(`set ${key} 0 0 1000\r\n${value}\r\n`)
    expect(ask(`get ${keys.join(' ')}\r\n`)).toBe(
      `${keys.map((key) => `VALUE ${key} 0 1000\r\n${value}\r\n`).join('')}END\r\n`,
    )
    expect(cluster[0].server.state.counters.get('overflowReplies')).toBeGreaterThan(25)
    // A value that is longer than the buffer it is copied through.
    for (let i = 0; i < 90; i++) ask(`append key-0 0 0 1000\r\n${value}\r\n`)
    expect(ask('get key-0\r\n').length).toBe(91_000 + 'VALUE key-0 0 91000\r\n\r\nEND\r\n'.length)
  })

  it('travels through the partitions that own the keys', () => {
    start(4)
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`)
    const sets = keys.map((key, i) => `set ${key} ${i} 0 3\r\n${100 + i}\r\n`).join('')
    expect(ask(sets)).toBe('STORED\r\n'.repeat(30))
    const all = `${keys.map((key, i) => `VALUE ${key} ${i} 3\r\n${100 + i}\r\n`).join('')}END\r\n`
    for (let p = 0; p < 4; p++) expect(peer.text(`get ${keys.join(' ')}\r\n`, MEMCACHED_PORT + p)).toBe(all)
    expect(ask('incr key-3 5 \r\nincr key-4 5\r\nget key-3\r\n')).toBe(
      '108\r\n109\r\nVALUE key-3 3 3\r\n108\r\nEND\r\n',
    )
    const items = cluster.map(({ server }) => server.state.store.statistics().items)
    expect(items.reduce((a, b) => a + b)).toBe(30)
    expect(Math.min(...items)).toBeGreaterThan(0)
    const total = (name: 'handedOver' | 'handedIn' | 'handedBack') =>
      cluster.reduce((sum, { server }) => sum + server.state.counters.get(name), 0)
    expect(total('handedOver')).toBeGreaterThan(0)
    expect(total('handedIn')).toBeGreaterThan(total('handedOver'))
    expect(total('handedBack')).toBeGreaterThan(0)
    expect(ask('flush_all\r\n')).toBe('OK\r\n')
    expect(ask(`get ${keys.join(' ')}\r\n`)).toBe('END\r\n')
  })

  it('answers from the port that was asked, whichever queue the request came to', () => {
    start(3, { shared: true })
    for (let p = 0; p < 3; p++) {
      expect(peer.text(`set key-${p} 0 0 1000\r\n${'v'.repeat(1000)}\r\n`, MEMCACHED_PORT + p)).toBe('STORED\r\n')
    }
    for (let p = 0; p < 3; p++) {
      expect(peer.text('get key-0 key-1 key-2\r\n', MEMCACHED_PORT + p)).toHaveLength(3 * 1022 + 5)
    }
    const strayed = cluster.map(({ server }) => server.state.counters.get('strayed'))
    expect(strayed).toEqual([4, 0, 0])
  })

  it('says so when the way to the owner is blocked', () => {
    start(2, { ringSlots: 0 })
    const answers = Array.from({ length: 20 }, (_, i) => ask(`get key-${i}\r\n`))
    expect(new Set(answers)).toEqual(new Set(['END\r\n', 'SERVER_ERROR busy\r\n']))
    expect(cluster[0].server.state.counters.get('handOverRefused')).toBe(
      answers.filter((answer) => answer.startsWith('SERVER')).length,
    )
  })
})
