import type { QueueDescriptor } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { ACK, FIN, RST, SYN } from '../../../src/tcp/segment.ts'
import { type RawPeer, tcpFrame } from '../support/raw-peer.ts'
import { Siege } from './support/siege.ts'

describe('TIME-WAIT', () => {
  it('holds as many records as it may; the oldest make room, and a port comes back when its time is over', async () => {
    const siege = await Siege.create({ options: { tcpTimeWaits: 50 } })
    const { libos } = siege
    siege.unharmed(() => {
      for (let i = 0; i < 120; i++) {
        const peer = siege.open(4000 + i)
        const accepted = libos.runtime.wait(libos.accept(siege.listener))
        if (accepted.kind !== 'accept') throw new Error(accepted.kind)
        libos.close(accepted.accepted)
        siege.run(1)
        peer.received = (peer.received + 1) | 0
        siege.ask({ ...siege.of(peer), flags: FIN | ACK })
      }
    })
    expect(siege.lines('time-wait')).toHaveLength(50)
    expect(siege.count('tcpExt.TimeWaitEvictions')).toBe(70)
    siege.rest(61_000)
    expect(siege.lines('time-wait')).toHaveLength(0)
    await siege.close()
  })

  it('answers old segments only so often, and is not assassinated (RFC 1337)', async () => {
    const siege = await Siege.create()
    const { libos } = siege
    const peer = siege.open(4000)
    const accepted = libos.runtime.wait(libos.accept(siege.listener))
    if (accepted.kind !== 'accept') throw new Error(accepted.kind)
    libos.close(accepted.accepted)
    siege.run(1)
    peer.received = (peer.received + 1) | 0
    siege.ask({ ...siege.of(peer), flags: FIN | ACK })
    const frames = function* (flags: number) {
      for (let i = 0; i < 500; i++) yield tcpFrame({ ...siege.of(peer), sequence: peer.next + 1 + (i % 40), flags })
    }
    siege.unharmed(() => {
      expect(siege.attack(frames(RST))).toEqual([])
      expect(siege.attack([...frames(ACK)]).length).toBeLessThanOrEqual(1)
      expect(siege.attack([...frames(SYN | ACK)]).length).toBeLessThanOrEqual(1)
    })
    expect(siege.lines('time-wait')).toHaveLength(1)
    expect(siege.count('tcpDrop.ResetInTimeWait')).toBe(500)
    await siege.close()
  })
})

describe('a full table', () => {
  it('of connections refuses new ones on both sides with ENOBUFS and a counter, and serves the old', async () => {
    const siege = await Siege.create({ options: { tcpConnections: 10 } })
    const { libos } = siege
    const peers: RawPeer[] = []
    for (let i = 0; i < 9; i++) peers.push(siege.open(4000 + i))
    siege.unharmed(() => {
      for (let i = 0; i < 30; i++) siege.open(5000 + i)
      const qd = libos.socket('stream')
      const failed = libos.runtime.wait(libos.connect(qd, { address: '10.0.0.3', port: 80 }))
      expect(failed).toMatchObject({ kind: 'failed', code: 'ENOBUFS' })
      libos.close(qd)
    })
    expect(siege.count('tcpDrop.ListenNoConnection')).toBeGreaterThanOrEqual(30)
    // One that goes makes room for one that comes.
    siege.ask({ ...siege.of(peers[0]), flags: RST })
    siege.open(6000)
    expect(siege.lines('established')).toHaveLength(9)
    await siege.close()
  })

  it('of sockets says EMFILE, to a caller and to an accept, and the connection waits until there is room', async () => {
    const siege = await Siege.create({ options: { streams: 6 } })
    const { libos } = siege
    const sockets: QueueDescriptor[] = []
    for (let i = 0; i < 3; i++) sockets.push(libos.socket('stream'))
    expect(() => libos.socket('stream')).toThrow(
      expect.objectContaining({ code: 'EMFILE', remedy: expect.stringContaining('streams') }),
    )
    siege.unharmed(() => {
      siege.open(4000)
      expect(libos.runtime.wait(libos.accept(siege.listener))).toMatchObject({ kind: 'failed', code: 'EMFILE' })
    })
    libos.close(sockets[0])
    const accepted = libos.runtime.wait(libos.accept(siege.listener))
    expect(accepted.kind).toBe('accept')
    await siege.close()
  })

  it('of connections that wait for an accept: no more are taken, and the rest of the host goes on', async () => {
    const siege = await Siege.create({ backlog: 5 })
    siege.unharmed(() => {
      const frames = function* () {
        for (let i = 0; i < 200; i++) yield tcpFrame({ sourcePort: 4000 + i, sequence: 9, flags: SYN })
      }
      for (const { segment, destinationPort } of siege.attack(frames())) {
        siege.ask({
          sourcePort: destinationPort,
          sequence: 10,
          acknowledgment: (segment.sequence + 1) | 0,
          flags: ACK,
        })
      }
    })
    expect(siege.line().receiveQueue).toBe(5)
    expect(siege.count('tcpDrop.ListenAcceptFull')).toBeGreaterThan(0)
    await siege.close()
  })

  it('of local ports fails with EADDRINUSE', async () => {
    const siege = await Siege.create({ options: { ephemeralPorts: '50000-50003' } as never })
    const { libos } = siege
    const sockets = Array.from({ length: 5 }, () => libos.socket('stream'))
    const tokens = sockets.map((qd) => libos.connect(qd, { address: '10.0.0.3', port: 9 }))
    const kinds = tokens.map((token) => libos.runtime.wait(token))
    expect(kinds.map((one) => (one.kind === 'failed' ? one.code : one.kind))).toEqual([
      ...Array(4).fill('ECONNREFUSED'),
      'EADDRINUSE',
    ])
    await siege.close()
  })
})
