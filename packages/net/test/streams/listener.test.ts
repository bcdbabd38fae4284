import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../../src/index.ts'
import { ACK, FIN, RST, SYN } from '../../src/tcp/segment.ts'
import { counter, stackAndWire, teach } from '../support/wire.ts'
import { RawPeer, segmentsOf, tcpFrame } from './support/raw-peer.ts'

async function listening(options: Partial<NetOptions> = {}, backlog?: number) {
  const bench = await stackAndWire(options)
  const qd = bench.libos.socket('stream')
  bench.libos.bind(qd, { address: '0.0.0.0', port: 80 })
  bench.libos.listen(qd, backlog)
  return { ...bench, bench, qd, line: () => bench.libos.sockets().find((line) => line.qd === qd) }
}

describe('a listener', () => {
  it('answers a SYN with what both sides can, and has a connection only when the handshake is complete', async () => {
    const { bench, libos, line, machines } = await listening()
    const peer = new RawPeer(bench)
    const syn = { sequence: 1000, flags: SYN, mss: 1400, windowScale: 5, sackPermitted: true, hasTimestamp: true }
    const [answer] = peer.exchange({ ...syn, timestampValue: 77 })
    expect(answer.text).toMatch(/^SYN ACK .* ack 1001 win 65535 <mss 1460, ws \d+, sackOK, ts \d+:77>$/)
    expect(answer.checksumRight).toBe(true)
    expect(libos.sockets().filter(({ state }) => state === 'syn-received')).toHaveLength(1)
    expect(line()?.details).toMatchObject({ embryonic: 1, waiting: 0 })
    peer.next = 1001
    peer.received = (answer.segment.sequence + 1) | 0
    peer.exchange({ flags: ACK, hasTimestamp: true, timestampValue: 78, timestampEcho: answer.segment.timestampValue })
    expect(line()?.details).toMatchObject({ embryonic: 0, waiting: 1 })
    expect(line()?.receiveQueue).toBe(1)
    await machines.close()
  })

  it('offers only what the peer offered', async () => {
    const { bench, machines } = await listening()
    const [answer] = new RawPeer(bench).exchange({ sequence: 5, flags: SYN })
    expect(answer.text).toMatch(/win 65535 <mss 1460>$/)
    await machines.close()
  })

  it('answers strangers: resets for ACKs, silence for resets and nonsense', async () => {
    const { bench, libos, machines } = await listening()
    const peer = new RawPeer(bench)
    expect(peer.exchange({ flags: ACK, acknowledgment: 77 }).map(({ text }) => text)).toEqual(['RST 77+0 win 0'])
    expect(peer.exchange({ flags: RST })).toEqual([])
    expect(peer.exchange({ flags: SYN | FIN })).toEqual([])
    expect(peer.exchange({ flags: 0 })).toEqual([])
    expect(counter(libos, 'tcpDrop.ListenBadFlags')).toBe(2)
    expect(peer.exchange({ flags: SYN | ACK, acknowledgment: 9 }).map(({ text }) => text)).toEqual(['RST 9+0 win 0'])
    await machines.close()
  })

  it('sends a SYN+ACK again, twice as late each time, and then forgets', async () => {
    const { bench, wire, machines, libos, line } = await listening({ tcpSynAckRetries: 3 })
    teach(bench)
    new RawPeer(bench).exchange({ sequence: 5, flags: SYN })
    const times: number[] = []
    for (let ms = 0; ms < 20_000; ms += 10) {
      machines.run(10e6)
      for (const { text } of segmentsOf(wire.receive())) if (text.startsWith('SYN ACK')) times.push(ms / 1000)
    }
    expect(times.map(Math.round)).toEqual([1, 3, 7])
    expect(line()?.details).toMatchObject({ embryonic: 0, expired: 1 })
    expect(counter(libos, 'tcpDrop.SynReceivedExpired')).toBe(1)
    expect(counter(libos, 'tcpExt.SynAcksRetransmitted')).toBe(3)
    await machines.close()
  })

  it('answers a repeated SYN with the same number, and forgets at an exact reset', async () => {
    const { bench, line, machines } = await listening()
    const peer = new RawPeer(bench)
    const [first] = peer.exchange({ sequence: 5, flags: SYN })
    const [second] = peer.exchange({ sequence: 5, flags: SYN })
    expect(second.segment.sequence).toBe(first.segment.sequence)
    peer.exchange({ sequence: 7, flags: RST })
    expect(line()?.details).toMatchObject({ embryonic: 1 })
    peer.exchange({ sequence: 6, flags: RST })
    expect(line()?.details).toMatchObject({ embryonic: 0, reset: 1 })
    await machines.close()
  })
})

describe('a SYN flood', () => {
  const flood = async (options: Partial<NetOptions>, count: number) => {
    const setup = await listening(options, 100)
    const { wire, machines } = setup
    const answers = []
    for (let i = 0; i < count; i++) {
      const source = `10.0.0.${2 + (i % 200)}`
      wire.send(tcpFrame({ source, sourcePort: 1024 + Math.floor(i / 200), flags: SYN, sequence: i, mss: 1460 }))
      if (i % 64 !== 63) continue
      machines.run(1e6)
      answers.push(...segmentsOf(wire.receive()))
    }
    return { ...setup, answers }
  }

  it('is answered with cookies, which take no memory, and others still come through', async () => {
    const { bench, libos, line, answers, machines } = await flood({}, 5_056)
    expect(line()?.details).toMatchObject({ embryonic: 100 })
    expect(answers.length).toBe(5_056)
    expect(counter(libos, 'tcpExt.SynCookiesSent')).toBe(5_056 - 100)
    const peer = new RawPeer(bench, 60_000)
    const syn = { mss: 1200, windowScale: 9, sackPermitted: true, hasTimestamp: true, timestampValue: 5 }
    const [answer] = peer.exchange({ sequence: peer.next, flags: SYN, ...syn })
    peer.next++
    peer.received = (answer.segment.sequence + 1) | 0
    const stamps = { hasTimestamp: true, timestampValue: 6, timestampEcho: answer.segment.timestampValue }
    peer.exchange({ flags: ACK, payload: Uint8Array.of(1, 2, 3), ...stamps })
    expect(line()?.details).toMatchObject({ waiting: 1, cookiesAccepted: 1 })
    const accepted = libos.runtime.wait(libos.accept(bench.libos.sockets()[0].qd as never))
    expect(accepted.kind).toBe('accept')
    const connection = libos.sockets().find(({ state }) => state === 'established')
    // The cookie tells a size of its table that is not longer than the peer's; 12 bytes are the timestamps'.
    expect(connection?.details['mss']).toBe(536 - 12)
    expect(connection?.receiveQueue).toBe(3)
    await machines.close()
  })

  it('without cookies is dropped and counted beyond the backlog', async () => {
    const { libos, answers, machines } = await flood({ tcpSynCookies: 'off' }, 6400)
    expect(answers.length).toBe(100)
    expect(counter(libos, 'tcpDrop.ListenBacklogFull')).toBe(6300)
    await machines.close()
  })

  it('of ACKs that guess cookies opens nothing', async () => {
    const { wire, machines, libos, line } = await flood({}, 6400)
    for (let i = 0; i < 2000; i++) {
      wire.send(tcpFrame({ sourcePort: 20_000 + i, flags: ACK, sequence: i * 7919, acknowledgment: (i * 104_729) | 0 }))
      if (i % 64 === 63) machines.run(1e6)
    }
    machines.run(1e6)
    expect(line()?.details).toMatchObject({ waiting: 0, cookiesAccepted: 0 })
    expect(counter(libos, 'tcpExt.SynCookiesFailed')).toBe(2000)
    await machines.close()
  })
})
