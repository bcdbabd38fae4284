import { assertNoLeaks, ParakernelError } from '@parakernel/hal'
import { OP_APPEND, OP_DELETE, OP_GET, OP_SET, RESULT_NO_SPACE } from '@parakernel/mica'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MEMCACHED_PORT, openCluster, type Partition, PORT } from './support/cluster.ts'
import { FakeLog } from './support/fake-log.ts'
import { request, responses } from './support/native.ts'
import { Peer } from './support/peer.ts'
import { TestNetwork } from './support/test-network.ts'

const set = (key: string, value: string) => ({ opcode: OP_SET, key, value })
const get = (key: string) => ({ opcode: OP_GET, key })

async function start(logs = [new FakeLog()], options = {}) {
  const network = new TestNetwork()
  const cluster: Partition[] = await openCluster(network, logs, options)
  const peer = new Peer(network)
  const text = (line: string, port = MEMCACHED_PORT) => peer.text(line, port)
  const native = (packet: Uint8Array, port = PORT) => responses(peer.exchange(packet, port))
  /** Everything that was appended is durable; returns the replies that came. */
  const settle = (status = 0) => {
    for (const log of logs) log.settle(status)
    for (let i = 0; i < 8; i++) network.round()
    return peer.received.splice(0)
  }
  /** A request whose reply has to wait for the log. */
  const write = (line: string, port = MEMCACHED_PORT) => {
    for (const log of logs) log.isQuick = false
    expect(text(line, port)).toBe('')
    const replies: string[] = []
    // A journey through several partitions waits in each.
    for (let i = 0; i < logs.length + 1; i++)
      replies.push(...settle().map((bytes) => Buffer.from(bytes.subarray(8)).toString()))
    return replies.join('')
  }
  onTestFinished(() => {
    for (let i = 0; i < 4; i++) settle()
    for (const { host } of cluster) assertNoLeaks(host.pool)
    assertNoLeaks(peer.host.pool)
  })
  const { counters } = cluster[0].server.state
  return { logs, network, cluster, peer, text, native, settle, write, counters }
}

/** The same logs under a new server. */
const restart = async (logs: FakeLog[], options = {}) => start(logs, options)

describe('a write is acknowledged when it is durable', () => {
  it('in the native protocol', async () => {
    const { native, settle, counters, logs } = await start()
    expect(native(request([set('a', 'one'), get('a')], { opaque: 5 }))).toEqual([])
    // Others are served meanwhile, and see it.
    expect(native(request([get('a')]))[0].operations[0].value.toString()).toBe('one')
    const [answer] = responses(settle())
    expect(answer).toMatchObject({ opaque: 5, operations: [{ result: 0 }, { result: 0 }] })
    expect(answer.operations[1].value.toString()).toBe('one')
    expect(counters.get('repliesHeld')).toBe(1)
    expect(logs[0].records.size).toBe(1)
  })

  it('in the text protocol, also where nothing is answered', async () => {
    const { text, write, logs } = await start()
    expect(write('set a 7 0 5\r\nhello\r\n')).toBe('STORED\r\n')
    expect(text('set b 0 0 1 noreply\r\nx\r\n')).toBe('')
    expect(logs[0].records.size).toBe(2)
    expect(text('get a b\r\n')).toBe('VALUE a 7 5\r\nhello\r\nVALUE b 0 1\r\nx\r\nEND\r\n')
    logs[0].settle()
  })

  it('a request that changes nothing waits for nothing', async () => {
    const { native, text, logs } = await start()
    expect(native(request([{ opcode: OP_DELETE, key: 'none' }]))[0].operations[0].result).not.toBe(0)
    expect(text('replace none 0 0 1\r\nx\r\n')).toBe('NOT_STORED\r\n')
    expect(text('delete none\r\n')).toBe('NOT_FOUND\r\n')
    expect(logs[0].records.size).toBe(0)
  })

  it('across partitions, whichever was asked', async () => {
    const logs = [new FakeLog(), new FakeLog()]
    const { native, settle, write, text } = await start(logs)
    for (let i = 0; i < 8; i++) {
      expect(native(request([set(`native-${i}`, 'x')], { opaque: i }))).toEqual([])
      expect(responses(settle()).map(({ opaque }) => opaque)).toEqual([i])
      expect(write(`set text-${i} 0 0 1\r\ny\r\n`)).toBe('STORED\r\n')
    }
    const several = Array.from({ length: 8 }, (_, i) => `set many-${i} 0 0 1\r\nz\r\n`).join('')
    expect(text(several)).toBe('')
    let answer = ''
    for (let i = 0; i < 20; i++) answer += settle().map((bytes) => Buffer.from(bytes.subarray(8)).toString())
    expect(answer).toBe('STORED\r\n'.repeat(8))
    expect(logs.every(({ records }) => records.size > 2)).toBe(true)
    const second = await restart(logs)
    expect(
      second.text(`get ${Array.from({ length: 8 }, (_, i) => `many-${i}`).join(' ')}\r\n`).match(/z\r\n/g),
    ).toHaveLength(8)
  })

  it('many in one round, in order, each once', async () => {
    const { peer, network, settle } = await start()
    for (let i = 0; i < 100; i++) peer.send(request([set(`k${i}`, 'v')], { opaque: i }), PORT)
    for (let i = 0; i < 8; i++) network.round()
    expect(peer.received).toEqual([])
    expect(responses(settle()).map(({ opaque }) => opaque)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
})

describe('after a restart', () => {
  it('everything is there, as it was', async () => {
    const logs = [new FakeLog()]
    const first = await start(logs)
    const lines = [
      'set a 7 0 5\r\nhello\r\n',
      'set gone 0 0 1\r\nx\r\n',
      'delete gone\r\n',
      'set n 1 0 2\r\n41\r\n',
      'incr n 1\r\n',
      'append a 0 0 6\r\n world\r\n',
      'prepend a 0 0 2\r\n> \r\n',
      'set short 0 100 1\r\ns\r\n',
      'set long 3 1000 1\r\nl\r\n',
      'touch long 50\r\n',
      'gat 2000 long\r\n',
    ]
    for (const line of lines) expect(first.write(line), line).not.toBe('')
    responses(first.peer.exchange(request([set('binary', 'x'.repeat(500))]), PORT))
    first.native(request([{ opcode: OP_APPEND, key: 'binary', value: 'y' }]))
    first.settle()
    const second = await restart(logs)
    expect(second.text('get a gone n short long\r\n')).toBe(
      'VALUE a 7 13\r\n> hello world\r\nVALUE n 1 2\r\n42\r\nVALUE short 0 1\r\ns\r\nVALUE long 3 1\r\nl\r\nEND\r\n',
    )
    expect(second.native(request([get('binary')]))[0].operations[0].value.toString()).toBe(`${'x'.repeat(500)}y`)
    // Times go on by the clock on the wall.
    const later = await restart(logs, { wallClock: () => 1_000_000_000_000 + 500_000 })
    expect(later.text('get short long\r\n')).toBe('VALUE long 3 1\r\nl\r\nEND\r\n')
  })

  it('an emptied store is empty', async () => {
    const logs = [new FakeLog()]
    const first = await start(logs)
    first.write('set a 0 0 1\r\nx\r\n')
    expect(first.write('flush_all\r\n')).toBe('OK\r\n')
    first.write('set b 0 0 1\r\ny\r\n')
    expect((await restart(logs)).text('get a b\r\n')).toBe('VALUE b 0 1\r\ny\r\nEND\r\n')
  })

  it('no version is given twice', async () => {
    const logs = [new FakeLog()]
    const first = await start(logs)
    first.write('set a 0 0 1\r\nx\r\n')
    const before = /a 0 1 (\d+)/.exec(first.text('gets a\r\n'))?.[1] ?? ''
    const second = await restart(logs)
    const after = /a 0 1 (\d+)/.exec(second.text('gets a\r\n'))?.[1] ?? ''
    expect(BigInt(after)).toBeGreaterThan(BigInt(before))
    expect(second.text(`cas a 0 0 1 ${before}\r\nz\r\n`)).toBe('EXISTS\r\n')
  })

  it('a record that is none of ours is refused', async () => {
    const log = new FakeLog()
    log.records.set(1, Uint8Array.from([9, 9, 9, 9, 9, 9, 9, 9]))
    log.next = 2
    await expect(start([log])).rejects.toMatchObject({
      code: 'EUCLEAN',
      message: expect.stringMatching(/record 1 is not/),
    })
  })

  it('a lossless store that has become too small says so', async () => {
    const logs = [new FakeLog()]
    logs[0].capacityBytes = 64 << 20
    const first = await start(logs, { mode: 'store', heapBytes: 8 << 20 })
    for (let i = 0; i < 3000; i++) {
      first.peer.send(request([set(`key-${i}`, 'x'.repeat(1000))]), PORT)
      if (i % 100 === 0) first.settle()
    }
    first.settle()
    await expect(openCluster(new TestNetwork(), logs, { mode: 'store', heapBytes: 2 << 20 })).rejects.toMatchObject({
      code: 'ENOSPC',
    })
  })
})

describe('a log that fails', () => {
  it('acknowledges nothing more, refuses writes, and serves reads', async () => {
    const { native, text, settle, write, logs, counters } = await start()
    write('set a 0 0 1\r\nx\r\n')
    expect(native(request([set('b', 'lost')]))).toEqual([])
    logs[0].failure = new ParakernelError('EIO', 'the medium is gone')
    expect(settle(-5)).toEqual([])
    expect(counters.get('journalFailed')).toBe(1)
    expect(native(request([set('c', 'x'), get('a')]))[0].operations).toMatchObject([
      { result: RESULT_NO_SPACE },
      { result: 0 },
    ])
    expect(text('set c 0 0 1\r\nx\r\n')).toMatch(/^SERVER_ERROR/)
    expect(text('get a\r\n')).toMatch(/^VALUE a/)
    expect(counters.get('journalRefused')).toBe(2)
  })

  it('a record that it does not take is never acknowledged', async () => {
    const { native, text, logs, counters } = await start()
    logs[0].refusal = -11
    expect(native(request([set('a', 'x')]))).toEqual([])
    expect(text('set a 0 0 1\r\nx\r\n')).toBe('')
    expect(counters.get('journalFailed')).toBe(2)
  })
})

describe('compaction', () => {
  const fill = async (mode: string, keys: number, rounds: number) => {
    const log = new FakeLog()
    log.isQuick = true
    log.capacityBytes = 200_000
    const running = await start([log], { mode })
    for (let i = 0; i < 20; i++) {
      running.peer.send(request([set(`cold-${i}`, 'cold')]), PORT)
      for (let n = 0; n < 3; n++) running.network.round()
    }
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < keys; i++) {
        running.peer.send(request([set(`key-${i}`, `${round} ${'x'.repeat(200)}`)]), PORT)
        for (let n = 0; n < 3; n++) running.network.round()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const { compaction } = running.cluster[0].server.state.journal ?? {}
    await compaction?.stop()
    expect(compaction?.failure).toBeUndefined()
    return { ...running, log, compaction }
  }

  it('makes room for new writes, and loses nothing', async () => {
    const { log, compaction, counters } = await fill('store', 100, 20)
    expect(log.first).toBeGreaterThan(1000)
    expect(log.usedBytes).toBeLessThan(0.8 * log.capacityBytes)
    expect(compaction?.moved).toBeGreaterThan(0)
    expect(compaction?.evicted).toBe(0)
    expect(counters.get('journalRefused')).toBe(0)
    const second = await restart([log], { mode: 'store' })
    for (let i = 0; i < 100; i++) {
      expect(second.native(request([get(`key-${i}`)]))[0].operations[0].value.toString()).toMatch(/^19 x/)
    }
    for (let i = 0; i < 20; i++) {
      expect(second.native(request([get(`cold-${i}`)]))[0].operations[0].value.toString()).toBe('cold')
    }
  })

  it('of a store that fills the log ends in refusals, not in losses', async () => {
    const { log, native, counters } = await fill('store', 900, 1)
    expect(counters.get('journalRefused')).toBeGreaterThan(0)
    const kept = 900 - counters.get('journalRefused')
    const second = await restart([log], { mode: 'store' })
    let found = 0
    for (let i = 0; i < 900; i++) if (second.native(request([get(`key-${i}`)]))[0].operations[0].result === 0) found++
    expect(found).toBe(kept)
    expect(native(request([get('key-0')]))[0].operations[0].result).toBe(0)
  })

  it('of a cache that fills the log gives the oldest up', async () => {
    const { log, native, compaction } = await fill('cache', 900, 1)
    expect(compaction?.evicted).toBeGreaterThan(0)
    const second = await restart([log], { mode: 'cache' })
    expect(second.native(request([get('key-899')]))[0].operations[0].result).toBe(0)
    // What memory has, the log has; the lossy index may give up others when it is filled in another order.
    let differences = 0
    for (let i = 0; i < 900; i++) {
      const [before, after] = [native, second.native].map(
        (ask) => ask(request([get(`key-${i}`)]))[0].operations[0].result,
      )
      if (before !== after) differences++
    }
    expect(differences).toBeLessThan(30)
  })
})
