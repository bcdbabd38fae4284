import type { QueueDescriptor } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { ACK, RST } from '../../../src/tcp/segment.ts'
import { type RawPeer, tcpFrame } from '../support/raw-peer.ts'
import { Siege, type SiegeOptions } from './support/siege.ts'

const COUNT = 60

/** Connections to port 80 whose server side has as much to say as there is room for, and whose client side takes nothing. */
function speak(siege: Siege, window: number): { peers: RawPeer[]; servers: QueueDescriptor[] } {
  const { libos } = siege
  const servers: QueueDescriptor[] = []
  const peers: RawPeer[] = []
  for (let i = 0; i < COUNT; i++) {
    const peer = siege.open(4000 + i, { window })
    siege.attack([tcpFrame({ ...siege.of(peer), window, flags: ACK })])
    peers.push(peer)
    const accepted = libos.runtime.wait(libos.accept(siege.listener))
    if (accepted.kind !== 'accept') throw new Error(accepted.kind)
    servers.push(accepted.accepted)
    try {
      const sga = libos.sgaAlloc(20_000)
      libos.push(accepted.accepted, sga)
      sga.free()
    } catch {
      // The pool is exhausted: so be it.
    }
  }
  return { peers, servers }
}

/** Every connection acknowledges what it was sent, and keeps its window at `window`. */
function hold(siege: Siege, peers: readonly RawPeer[], window: number, milliseconds: number): void {
  siege.innocent.isResting = true
  for (let passed = 0; passed < milliseconds; passed += 1000) {
    const from = siege.answers.length
    siege.run(1000)
    for (const { segment, destinationPort } of siege.answers.slice(from)) {
      const peer = peers[destinationPort - 4000]
      if (segment.length > 0 && peer !== undefined && segment.sequence === peer.received && window > 0) {
        peer.received = (peer.received + Math.min(segment.length, window)) | 0
      }
    }
    siege.attack(peers.map((peer) => tcpFrame({ ...siege.of(peer), window, flags: ACK })))
  }
  siege.innocent.goOn()
}

const stressed = (options: SiegeOptions = {}) => Siege.create({ frames: 2048, ...options })

describe('windows that never open', () => {
  it.each([
    ['of zero', 0],
    ['of one byte', 1],
  ])('%s hold no more memory than there is, and harm nobody', async (_, window) => {
    const siege = await stressed()
    let attack = { peers: [] as RawPeer[], servers: [] as QueueDescriptor[] }
    siege.unharmed(() => {
      attack = speak(siege, window)
    }, 0.4)
    hold(siege, attack.peers, window, 20_000)
    siege.unharmed(() => siege.run(200), 0.4)
    const { pool } = siege.bench.machine
    expect(pool.available).toBeGreaterThan(pool.deviceReserve)
    const late = siege.connectInnocent()
    siege.run(100)
    expect(late.rounds).toBeGreaterThan(3)
    // As long as they answer, they are believed (RFC 1122 section 4.2.2.17).
    expect(siege.lines('established')).toHaveLength(COUNT)
    for (const qd of attack.servers) siege.libos.close(qd)
    await siege.close()
  })

  it.each([
    ['of zero', 0],
    ['of one byte', 1],
  ])('%s end after the user timeout, answers or not', async (_, window) => {
    const siege = await stressed({ options: { tcpUserTimeout: 10_000 } })
    const { peers, servers } = speak(siege, 0)
    hold(siege, peers, window === 0 ? 0 : 1, 15_000)
    const left = siege.lines('established').length
    // One byte now and then is progress, by RFC 5482's own measure.
    if (window === 0) {
      expect(left).toBe(0)
      expect(siege.count('tcpExt.AbortOnUserTimeout')).toBe(COUNT)
    } else expect(left).toBeGreaterThan(0)
    siege.unharmed(() => siege.run(50))
    for (const qd of servers) siege.libos.close(qd)
    await siege.close()
  })

  it.each([
    ['zero, silent', 0, false],
    ['zero, answering', 0, true],
    ['one byte, answering', 1, true],
  ])('of closed sockets (%s) do not live for ever', async (_, window, answers) => {
    const siege = await stressed({
      options: { tcpOrphanRetries: 3, tcpMaximumProbeInterval: 2000, tcpMaximumRto: 2000 },
    })
    const { peers, servers } = speak(siege, window as number)
    for (const qd of servers) siege.libos.close(qd)
    if (answers) hold(siege, peers, window as number, 90_000)
    else siege.rest(90_000)
    expect(siege.libos.sockets().filter(({ local }) => local.port === 80)).toHaveLength(1)
    siege.unharmed(() => siege.run(50))
    await siege.close()
  })
})

describe('a window that shrinks', () => {
  it('and grows again with every ACK takes no more than it told', async () => {
    const siege = await stressed()
    const { peers, servers } = speak(siege, 5000)
    siege.unharmed(() => {
      for (let i = 0; i < 30; i++) {
        for (const peer of peers.slice(0, 20)) {
          siege.bench.wire.send(tcpFrame({ ...siege.of(peer), window: (i * 997) % 5000, flags: ACK }))
        }
        siege.run(10)
      }
    }, 0.4)
    expect(siege.count('tcpExt.WindowShrunk')).toBeGreaterThan(100)
    siege.attack(peers.map((peer) => tcpFrame({ ...siege.of(peer), flags: RST })))
    expect(siege.lines('established')).toHaveLength(0)
    for (const qd of servers) siege.libos.close(qd)
    await siege.close()
  })
})
