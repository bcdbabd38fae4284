import { describe, expect, it } from 'vitest'
import { ACK, FIN, PSH, RST, SYN, URG } from '../../../src/tcp/segment.ts'
import { tcpFrame } from '../support/raw-peer.ts'
import { Siege } from './support/siege.ts'

describe('a SYN flood from many sources', () => {
  it('fills no more than the backlog, is answered with cookies, and a real client still connects', async () => {
    const siege = await Siege.create({ backlog: 100 })
    const frames = function* () {
      for (let i = 0; i < 4000; i++) {
        yield tcpFrame({ source: `10.0.0.${4 + (i % 200)}`, sourcePort: 1024 + i, flags: SYN, sequence: i, mss: 1460 })
      }
    }
    siege.unharmed(() => siege.attack(frames()))
    expect(siege.line().details).toMatchObject({ embryonic: 100, cookiesSent: 3900, waiting: 0 })
    const { libos } = siege.client
    const qd = libos.socket('stream')
    const accept = siege.libos.accept(siege.listener)
    expect(libos.runtime.wait(libos.connect(qd, { address: '10.0.0.1', port: 80 }), 1e9).kind).toBe('connect')
    expect(siege.libos.runtime.wait(accept, 1e9).kind).toBe('accept')
    expect(siege.line().details).toMatchObject({ cookiesAccepted: 1 })
    // The records are given up, and nothing is left of the flood.
    siege.rest(70_000)
    expect(siege.line().details).toMatchObject({ embryonic: 0, expired: 100 })
    await siege.close()
  })

  it('at every port at once leaves listeners apart from each other', async () => {
    const siege = await Siege.create({ backlog: 10, options: { tcpSynBacklog: 128 } })
    const frames = function* () {
      for (let i = 0; i < 1000; i++)
        yield tcpFrame({ sourcePort: 1024 + i, destinationPort: i % 2 === 0 ? 80 : 7, flags: SYN, sequence: i })
    }
    siege.unharmed(() => siege.attack(frames()))
    expect(siege.lines('syn-received').length + siege.lines('syn-received', 7).length).toBe(128)
    siege.unharmed(() => siege.connectInnocent())
    await siege.close()
  })
})

describe('a half-open connection', () => {
  it('answers segments in its window and out of place only so often', async () => {
    const siege = await Siege.create()
    const [answer] = siege.ask({ sourcePort: 4000, sequence: 1000, flags: SYN, mss: 1460 })
    const acknowledgment = (answer.segment.sequence + 1) | 0
    const frames = function* () {
      for (let i = 0; i < 500; i++) {
        yield tcpFrame({ sourcePort: 4000, sequence: 1500 + i, flags: i % 2 === 0 ? RST : SYN, acknowledgment })
      }
    }
    siege.unharmed(() => {
      expect(siege.attack(frames()).length).toBeLessThan(10)
    })
    expect(siege.count('tcpDrop.SynReceivedOutside')).toBe(500)
    expect(siege.lines('syn-received')).toHaveLength(1)
    await siege.close()
  })
})

describe('a port scan', () => {
  const kinds = { connect: SYN, null: 0, fin: FIN, xmas: FIN | PSH | URG, ack: ACK, maimon: FIN | ACK, reset: RST }

  it.each(Object.entries(kinds))('of kind %s is answered by the book, and keeps no state', async (kind, flags) => {
    const siege = await Siege.create()
    const ports = Array.from({ length: 300 }, (_, i) => 1000 + i)
    siege.unharmed(() => {
      const answers = siege.attack(ports.map((destinationPort) => tcpFrame({ destinationPort, flags, sequence: 5 })))
      expect(answers).toHaveLength(kind === 'reset' ? 0 : 300)
      for (const { segment } of answers) {
        expect(segment.flags & ~ACK).toBe(RST)
        expect(segment.length).toBe(0)
      }
    })
    expect(siege.count('tcpDrop.PortClosed')).toBe(300)
    // The same to the port that listens: with neither SYN nor ACK nor RST, silence (RFC 9293 section 3.10.7.2).
    const answers = siege.ask({ destinationPort: 80, flags, sequence: 5 })
    const expected = kind === 'connect' ? SYN | ACK : RST
    if (kind === 'connect' || (flags & ACK) !== 0)
      expect(answers.map(({ segment }) => segment.flags)).toEqual([expected])
    else expect(answers).toEqual([])
    await siege.close()
  })

  it('with every combination of flags to a listener and a closed port makes one answer at most, and no connection', async () => {
    const siege = await Siege.create()
    const payload = new Uint8Array(100)
    siege.unharmed(() => {
      for (const destinationPort of [80, 81]) {
        for (let flags = 0; flags < 256; flags++) {
          const answers = siege.ask({ destinationPort, sourcePort: 2000 + flags, flags, payload, acknowledgment: 9 })
          expect(answers.length).toBeLessThanOrEqual(1)
          if ((flags & RST) !== 0) expect(answers).toEqual([])
          for (const { segment } of answers) if ((segment.flags & SYN) !== 0) expect(destinationPort).toBe(80)
        }
      }
    })
    expect(siege.line().details).toMatchObject({ waiting: 0 })
    expect(siege.lines('syn-received')).toHaveLength(16)
    const { libos } = siege
    const reasons = ['ListenBadFlags', 'ListenReset', 'PortClosed']
    const counted = reasons.map((name) => siege.count(`tcpDrop.${name}`))
    // 128 with RST to the listener; 64 with ACK find nothing there, nor do 256 at the closed port; 16 are SYNs.
    expect(counted).toEqual([256 - 128 - 64 - 16, 128, 256 + 64])
    expect(libos.sockets().filter(({ state }) => state === 'established')).toHaveLength(1)
    await siege.close()
  })
})
