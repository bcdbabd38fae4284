import { assertNoLeaks } from '@parakernel/hal'
import { keyhash, OP_GET, OP_INCREMENT, OP_SET, OP_TEST, partitionOf } from '@parakernel/mica'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LARGEST_PACKET } from '../src/server/partition-state.ts'
import { MEMCACHED_PORT, PORT, startCluster } from './support/cluster.ts'
import { operation, request, responses } from './support/native.ts'
import { Peer } from './support/peer.ts'
import { TestNetwork } from './support/test-network.ts'

const set = (key: string, value: string, opaque = 0) => ({ opcode: OP_SET, key, value, opaque })
const get = (key: string, opaque = 0) => ({ opcode: OP_GET, key, opaque })

function start(partitions = 1, options = {}) {
  const network = new TestNetwork()
  const cluster = startCluster(network, partitions, options)
  const peer = new Peer(network)
  const ask = (packet: Uint8Array, port = PORT) => responses(peer.exchange(packet, port))
  const done = () => {
    for (const { host } of cluster) assertNoLeaks(host.pool)
    assertNoLeaks(peer.host.pool)
  }
  return { network, cluster, peer, ask, done, counters: cluster[0].server.state.counters }
}

describe('native server', () => {
  it('answers each operation with its opaque, in order', () => {
    const { ask, done } = start()
    const [answer] = ask(
      request([set('a', 'one', 1), get('a', 2), get('b', 3), set('b', 'two', 4), get('b', 5)], { opaque: 77 }),
    )
    expect(answer).toMatchObject({ status: 0, opaque: 77, partitions: 1, partition: 0, cookie: 0n })
    expect(answer.operations.map(({ opaque, result, value }) => [opaque, result, value.toString()])).toEqual([
      [1, 0, ''],
      [2, 0, 'one'],
      [3, 1, ''],
      [4, 0, ''],
      [5, 0, 'two'],
    ])
    done()
  })

  it('replies in place where nothing that is unread can be overwritten, else from a spare frame', () => {
    const { ask, counters, done } = start()
    ask(request([set('a', 'x'.repeat(200))]))
    ask(request([get('a')]))
    ask(request([set('a', 'y'), set('b', 'z')]))
    expect(counters.get('repliesInPlace')).toBe(3)
    ask(request([get('a'), get('b')]))
    expect(counters.get('repliesInSpareFrame')).toBe(1)
    done()
  })

  it('spreads over several datagrams what does not fit in one', () => {
    const { ask, counters, done } = start()
    const keys = Array.from({ length: 40 }, (_, i) => `key${i}`)
    for (const key of keys) ask(request([set(key, key.repeat(100))]))
    const answers = ask(request(keys.map((key, i) => get(key, i))))
    expect(answers.length).toBeGreaterThan(5)
    const all = answers.flatMap((answer) => answer.operations).sort((a, b) => a.opaque - b.opaque)
    expect(all.map((one) => [one.opaque, one.value.toString()])).toEqual(keys.map((key, i) => [i, key.repeat(100)]))
    expect(counters.get('overflowReplies')).toBe(answers.length - 1)
    done()
  })

  it('answers what is wrong with an error, counts it, and goes on', () => {
    const { peer, ask, counters, done } = start()
    const cut = request([set('a', 'value', 1), get('a', 2), set('b', 'value', 3)]).subarray(0, -8)
    const [answer] = ask(cut)
    expect(answer.status).toBe(1)
    expect(answer.operations.map(({ opaque, result }) => [opaque, result])).toEqual([
      [1, 0],
      [2, 0],
      [3, 34],
    ])
    expect(counters.get('malformed')).toBe(1)
    const [strange] = ask(
      request([{ opcode: 200, key: 'a', opaque: 9 }, { opcode: OP_GET, key: '', opaque: 10 }, get('a', 11)]),
    )
    expect(strange.operations.map(({ opaque, result }) => [opaque, result])).toEqual([
      [9, 9],
      [10, 5],
      [11, 0],
    ])
    expect(counters.get('unknownOperation')).toBe(1)
    expect(ask(request([get('a')], { version: 9 }))[0]).toMatchObject({ status: 2, operations: [] })
    expect(counters.get('badVersion')).toBe(1)
    expect(peer.exchange(new Uint8Array(100), PORT)).toEqual([])
    expect(counters.get('notARequest')).toBe(1)
    const tooLarge = { opcode: OP_SET, key: 'c', value: 'v'.repeat(1300), opaque: 4 }
    expect(start(1, { heapBytes: 1 << 20 }).ask(request([tooLarge]))[0].operations[0].opaque).toBe(4)
    done()
  })

  it('takes payloads at any alignment', () => {
    const { cluster, ask, counters, done } = start()
    for (let skew = 1; skew < 8; skew++) {
      cluster[0].host.skew = skew
      const answers = ask(request([set(`k${skew}`, `value ${skew}`), get(`k${skew}`)]))
      expect(answers[0].operations[1].value.toString()).toBe(`value ${skew}`)
    }
    expect(counters.get('realigned')).toBe(7)
    done()
  })

  it('takes the largest packet', () => {
    const { ask, done } = start()
    const operations = Array.from({ length: 45 }, (_, i) => get(`key${i}`, i))
    expect(request(operations).length).toBeLessThanOrEqual(1472)
    expect(operations.length).toBeLessThan(LARGEST_PACKET)
    const all = ask(request(operations)).flatMap((answer) => answer.operations)
    expect(all.map((one) => one.opaque)).toEqual(operations.map((one) => one.opaque))
    done()
  })

  it('drops a request before it runs when no frame is free, and counts it', () => {
    const { cluster, peer, ask, counters } = start()
    ask(request([set('a', '1'), set('b', '2')]))
    const { pool } = cluster[0].host
    // All but the one in which the request arrives.
    const taken = Array.from({ length: pool.available - 1 }, () => pool.allocate())
    expect(peer.exchange(request([get('a'), get('b')]), PORT)).toEqual([])
    expect(counters.get('noFrame')).toBe(1)
    for (const frame of taken) pool.release(frame)
    expect(ask(request([get('a'), get('b')]))[0].operations.map((one) => one.value.toString())).toEqual(['1', '2'])
    expect(counters.get('replyDropped')).toBe(0)
  })

  it('hands over what other partitions own, and counts it', () => {
    const { ask, cluster, done } = start(4)
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`)
    const written = ask(request(keys.slice(0, 20).map((key, i) => set(key, `value of ${key}`, i))), PORT + 1)
    expect(
      written
        .flatMap((answer) => answer.operations)
        .map((one) => [one.opaque, one.result])
        .sort(byFirst),
    ).toEqual(keys.slice(0, 20).map((_, i) => [i, 0]))
    for (let p = 0; p < 4; p++) {
      const answers = ask(request(keys.map((key, i) => get(key, i))), PORT + p)
      const all = answers.flatMap((answer) => answer.operations).sort((a, b) => a.opaque - b.opaque)
      expect(all.map((one) => one.value.toString())).toEqual(keys.map((key, i) => (i < 20 ? `value of ${key}` : '')))
      expect(new Set(answers.map((answer) => answer.partition))).toEqual(new Set([0, 1, 2, 3]))
    }
    const foreign = (list: string[]) => list.filter((key) => ownerOf(key, 4) !== 1).length
    expect(cluster[1].server.state.counters.get('handedOver')).toBe(foreign(keys) + foreign(keys.slice(0, 20)))
    expect(cluster.every(({ server }) => server.state.counters.get('handOverRefused') === 0)).toBe(true)
    done()
  })

  it('counts what it cannot take over for want of frames, and takes the next', () => {
    const { ask, cluster, done } = start(2)
    const key = Array.from({ length: 40 }, (_, i) => `key-${i}`).find((one) => ownerOf(one, 2) === 1)!
    const { pool } = cluster[1].host
    const hoard: number[] = []
    for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) hoard.push(frame)
    expect(ask(request([get(key)]))).toEqual([])
    expect(cluster[1].server.state.counters.get('noFrame')).toBe(1)
    for (const frame of hoard) pool.release(frame)
    expect(ask(request([get(key)]))).toHaveLength(1)
    expect(cluster[1].server.state.counters.get('noFrame')).toBe(1)
    done()
  })

  it('takes to its port what came to another queue, as without steering', () => {
    // Everything arrives at partition 0.
    const { ask, peer, cluster, done } = start(3, { shared: true })
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`)
    for (const key of keys) ask(request([set(key, key.repeat(100))]), PORT + ownerOf(key, 3))
    for (let p = 0; p < 3; p++) {
      const answers = ask(request(keys.map((key, i) => get(key, i))), PORT + p)
      const all = answers.flatMap((answer) => answer.operations).sort((a, b) => a.opaque - b.opaque)
      expect(all.map(({ value }) => value.toString())).toEqual(keys.map((key) => key.repeat(100)))
    }
    const counts = cluster.map(({ server }) => server.state.counters.snapshot())
    const away = keys.filter((key) => ownerOf(key, 3) !== 0).length + 2
    expect(counts.map(({ strayed }) => strayed)).toEqual([away, 0, 0])
    expect(counts.map(({ strayedIn }) => strayedIn).reduce((a, b) => a + b)).toBe(away)
    expect(peer.exchange(Uint8Array.of(1, 2, 3), PORT + 1)).toEqual([])
    expect(cluster[1].server.state.counters.get('notARequest')).toBe(1)
    done()
  })

  it('counts what no ring took, and what no frame was free for', () => {
    const { ask, cluster, done } = start(2, { shared: true, ringSlots: 0 })
    expect(ask(request([get('a')]), PORT + 1)).toEqual([])
    expect(cluster[0].server.state.counters.snapshot()).toMatchObject({ strayed: 0, handOverRefused: 1 })
    done()
    const other = start(2, { shared: true })
    const { pool } = other.cluster[1].host
    const hoard: number[] = []
    for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) hoard.push(frame)
    expect(other.ask(request([get('a')]), PORT + 1)).toEqual([])
    expect(other.cluster[1].server.state.counters.snapshot()).toMatchObject({ strayedIn: 0, noFrame: 1 })
    for (const frame of hoard) pool.release(frame)
    other.done()
  })

  it('serves GETs of other partitions by reading their stores, in CREW mode', () => {
    const { ask, cluster, done } = start(3, { concurrency: 'CREW' })
    const stores = cluster.map(({ server }) => server.location)
    for (const { server } of cluster) server.readOthers(stores)
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`)
    for (const [i, key] of keys.entries()) ask(request([{ ...set(key, `value of ${key}`), flags: i }]))
    const handedOver = cluster[2].server.state.counters.get('handedOver')
    const answers = ask(request([...keys, 'nobody'].map((key, i) => get(key, i))), PORT + 2)
    const all = answers.flatMap((answer) => answer.operations).sort((a, b) => a.opaque - b.opaque)
    expect(all.map(({ value, result }) => [value.toString(), result])).toEqual([
      ...keys.map((key) => [`value of ${key}`, 0]),
      ['', 1],
    ])
    expect(all.slice(0, 30).map(({ flags }) => flags)).toEqual(keys.map((_, i) => i))
    const { counters } = cluster[2].server.state
    expect(counters.get('readElsewhere')).toBe([...keys, 'nobody'].filter((key) => ownerOf(key, 3) !== 2).length)
    expect(counters.get('handedOver')).toBe(handedOver)
    // Writes still go to the owner.
    ask(request([set('key-1', 'new')]), PORT + 2)
    expect(ask(request([get('key-1')]), PORT)[0].operations[0].value.toString()).toBe('new')
    done()
  })

  it('says WRONG_PARTITION when the ring to the owner is full', () => {
    const { ask, counters, done } = start(2, { ringSlots: 0 })
    const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`)
    const [answer] = ask(request(keys.map((key, i) => set(key, 'x', i))))
    expect(answer.operations.map((one) => one.result)).toEqual(keys.map((key) => (ownerOf(key, 2) === 0 ? 0 : 33)))
    expect(counters.get('handOverRefused')).toBe(keys.filter((key) => ownerOf(key, 2) === 1).length)
    done()
  })

  it('survives any bytes', () => {
    const { peer, ask, cluster, done } = start(2)
    const seed = request([
      set('a', 'x', 1),
      get('a', 2),
      { opcode: OP_INCREMENT, key: 'n', operand: 1n },
      { opcode: OP_TEST, key: 'a' },
    ])
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 12 }),
        fc.nat(seed.length),
        fc.uint8Array({ maxLength: 64 }),
        (changes, length, tail) => {
          const packet = Uint8Array.from(seed)
          for (const [at, value] of changes) packet[at] = value
          const mutated = Buffer.concat([packet.subarray(0, length), tail])
          // Whatever comes back must be a whole response.
          responses(peer.exchange(mutated, PORT))
          peer.exchange(mutated, MEMCACHED_PORT)
        },
      ),
      { numRuns: 1500 },
    )
    expect(ask(request([set('sane', 'yes'), get('sane')]))[0].operations.length).toBeGreaterThan(0)
    for (const { server } of cluster) {
      const { handedOver, malformed } = server.state.counters.snapshot()
      expect(handedOver + malformed).toBeGreaterThanOrEqual(0)
    }
    done()
  })

  it('has operations of the size that the documentation says', () => {
    expect(operation(get('12345678')).length).toBe(32)
    expect(operation(set('12345678', '12345678')).length).toBe(40)
  })
})

function ownerOf(key: string, partitions: number): number {
  const lanes = new Int32Array(2)
  keyhash(Buffer.from(key), 0, key.length, lanes)
  return partitionOf(lanes[1], partitions)
}

function byFirst(a: number[], b: number[]): number {
  return a[0] - b[0]
}
