import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DhcpClient, type DhcpState } from '../../src/dhcp/client.ts'
import type { Lease } from '../../src/dhcp/lease.ts'
import * as dhcp from '../../src/dhcp/message.ts'
import { formatIpv4, parseIpv4 } from '../../src/ipv4/address.ts'
import { seededRandom } from '../../src/random.ts'
import { type Reply, reply } from './support/server.ts'

const SECOND = 1e9
const MAC = { high: 0x0200_0000, low: 1 }
const SERVER = parseIpv4('10.0.0.254')

/** A client whose world is a list of what it did. */
class Bench {
  now = 0
  readonly sent: { bytes: Uint8Array; source: number; server: number | undefined }[] = []
  readonly leases: Lease[] = []
  readonly lost: string[] = []
  readonly checks: number[] = []
  readonly client: DhcpClient

  constructor(previous?: number) {
    this.client = new DhcpClient(
      { mac: MAC, random: seededRandom(7), hostName: 'pk', previous },
      {
        send: (bytes, source, server) => this.sent.push({ bytes, source, server }),
        check: (address) => this.checks.push(address),
        bound: (lease) => this.leases.push(lease),
        lost: (reason) => this.lost.push(reason),
      },
      0,
    )
  }

  get state(): DhcpState {
    return this.client.state
  }

  /** Goes to the client's next event. */
  step(): void {
    this.now = this.client.nextEvent()
    this.client.poll(this.now)
  }

  get last(): { type: number; requested: string; server: string; client: string; broadcast: boolean } {
    const { bytes } = this.sent.at(-1) ?? { bytes: new Uint8Array(300) }
    const view = new DataView(bytes.buffer)
    const options = new Map<number, Uint8Array>()
    for (let at = 240; bytes[at] !== 255; at += 2 + bytes[at + 1]) {
      options.set(bytes[at], bytes.slice(at + 2, at + 2 + bytes[at + 1]))
    }
    const address = (code: number) => options.get(code)?.join('.') ?? ''
    return {
      type: options.get(dhcp.MESSAGE_TYPE)?.[0] ?? 0,
      requested: address(dhcp.REQUESTED_ADDRESS),
      server: address(dhcp.SERVER_IDENTIFIER),
      client: formatIpv4(view.getInt32(12)),
      broadcast: (view.getUint16(10) & 0x8000) !== 0,
    }
  }

  answer(fields: Partial<Reply> & { type: number }): void {
    const transaction = new DataView((this.sent.at(-1) as { bytes: Uint8Array }).bytes.buffer).getUint32(4)
    this.client.receive(reply({ transaction, mac: MAC, server: SERVER, ...fields }), this.now)
  }

  /** To BOUND, by the usual way. */
  bind(fields: Partial<Reply> = {}): void {
    this.step()
    this.answer({ type: dhcp.OFFER, ...fields })
    this.answer({ type: dhcp.ACK, ...fields })
    this.client.checked(false, this.now)
  }
}

describe('DHCP client (RFC 2131)', () => {
  it('waits up to a second before it speaks (section 4.4.1)', () => {
    const bench = new Bench()
    expect(bench.client.nextEvent()).toBeGreaterThan(0)
    expect(bench.client.nextEvent()).toBeLessThan(SECOND)
    bench.client.poll(0)
    expect(bench.sent).toHaveLength(0)
  })

  it('discovers, requests, checks by ARP, and is bound (section 3.1)', () => {
    const bench = new Bench()
    bench.step()
    expect(bench.last).toMatchObject({ type: dhcp.DISCOVER, client: '0.0.0.0', broadcast: true })
    expect(bench.sent[0]).toMatchObject({ source: 0, server: undefined })
    bench.answer({ type: dhcp.OFFER, address: '10.0.0.7' })
    expect(bench.last).toMatchObject({ type: dhcp.REQUEST, requested: '10.0.0.7', server: '10.0.0.254' })
    expect(bench.sent.at(-1)).toMatchObject({ source: 0, server: undefined })
    bench.answer({ type: dhcp.ACK, address: '10.0.0.7' })
    expect(bench.state).toBe('checking')
    expect(bench.checks.map(formatIpv4)).toEqual(['10.0.0.7'])
    expect(bench.leases).toHaveLength(0)
    bench.client.checked(false, bench.now)
    expect(bench.state).toBe('bound')
    expect(bench.leases[0]).toMatchObject({
      prefix: 24,
      duration: 3600,
      renewal: 1800,
      rebinding: 3150,
      routes: [{ destination: 0, prefix: 0, gateway: parseIpv4('10.0.0.1') }],
      search: ['example.org'],
    })
  })

  it('repeats itself after 4, 8, 16, 32, 64 and again 64 seconds, give or take one (section 4.1)', () => {
    const bench = new Bench()
    bench.step()
    for (const seconds of [4, 8, 16, 32, 64, 64]) {
      const wait = (bench.client.nextEvent() - bench.now) / SECOND
      expect(wait).toBeGreaterThanOrEqual(seconds - 1)
      expect(wait).toBeLessThanOrEqual(seconds + 1)
      bench.step()
    }
    expect(bench.sent).toHaveLength(7)
  })

  it('looks for other offers when a request stays unanswered', () => {
    const bench = new Bench()
    bench.step()
    bench.answer({ type: dhcp.OFFER })
    for (let i = 0; i < 3; i++) {
      bench.step()
      expect(bench.last.type).toBe(dhcp.REQUEST)
    }
    bench.step()
    expect(bench.last.type).toBe(dhcp.DISCOVER)
  })

  it('declines an address that another host answers for, and begins again after ten seconds (section 3.1)', () => {
    const bench = new Bench()
    bench.step()
    bench.answer({ type: dhcp.OFFER, address: '10.0.0.7' })
    bench.answer({ type: dhcp.ACK, address: '10.0.0.7' })
    bench.client.checked(true, bench.now)
    expect(bench.last).toMatchObject({ type: dhcp.DECLINE, requested: '10.0.0.7', server: '10.0.0.254' })
    expect(bench.client.nextEvent() - bench.now).toBe(10 * SECOND)
    expect(bench.leases).toHaveLength(0)
    bench.step()
    expect(bench.last.type).toBe(dhcp.DISCOVER)
  })

  it('renews at T1 with its server, rebinds at T2 with anybody, and gives up at the end (section 4.4.5)', () => {
    const bench = new Bench()
    bench.bind()
    const start = bench.now
    bench.step()
    expect(bench.now - start).toBe(1800 * SECOND)
    expect(bench.state).toBe('renewing')
    expect(bench.last).toMatchObject({
      type: dhcp.REQUEST,
      client: '10.0.0.7',
      server: '',
      requested: '',
      broadcast: false,
    })
    expect(bench.sent.at(-1)?.server).toBe(SERVER)
    // Half of what is left until T2, at least a minute.
    expect(bench.client.nextEvent() - bench.now).toBe(675 * SECOND)
    while (bench.state === 'renewing') bench.step()
    expect(bench.now - start).toBe(3150 * SECOND)
    expect(bench.sent.at(-1)).toMatchObject({ server: undefined, source: parseIpv4('10.0.0.7') })
    while (bench.state === 'rebinding') bench.step()
    expect(bench.now - start).toBe(3600 * SECOND)
    expect(bench.lost).toEqual(['expired'])
    expect(bench.last.type).toBe(dhcp.DISCOVER)
  })

  it('counts a renewed lease from the request, and asks no ARP', () => {
    const bench = new Bench()
    bench.bind()
    bench.step()
    const asked = bench.now
    bench.now += 3 * SECOND
    bench.answer({ type: dhcp.ACK })
    expect(bench.state).toBe('bound')
    expect(bench.checks).toHaveLength(1)
    expect(bench.client.nextEvent() - asked).toBe(1800 * SECOND)
  })

  it('asks for the address of the last time first, without naming a server (section 3.2)', () => {
    const bench = new Bench(parseIpv4('10.0.0.7'))
    bench.step()
    expect(bench.state).toBe('rebooting')
    expect(bench.last).toMatchObject({ type: dhcp.REQUEST, requested: '10.0.0.7', server: '', client: '0.0.0.0' })
    bench.answer({ type: dhcp.NAK })
    expect(bench.last.type).toBe(dhcp.DISCOVER)
  })

  it('gives an address up when a renewal is refused', () => {
    const bench = new Bench()
    bench.bind()
    bench.step()
    bench.answer({ type: dhcp.NAK })
    expect(bench.lost).toEqual(['refused'])
    expect(bench.last.type).toBe(dhcp.DISCOVER)
  })

  it('releases the address when it is stopped', () => {
    const bench = new Bench()
    bench.bind()
    bench.client.stop(bench.now)
    expect(bench.last).toMatchObject({ type: dhcp.RELEASE, client: '10.0.0.7', server: '10.0.0.254' })
    expect(bench.sent.at(-1)?.server).toBe(SERVER)
    expect(bench.lost).toEqual(['stopped'])
    expect(bench.client.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('confirms its address when the link comes back (section 3.7)', () => {
    const bench = new Bench()
    bench.bind()
    bench.client.linkUp(bench.now)
    expect(bench.last).toMatchObject({ type: dhcp.REQUEST, requested: '10.0.0.7', server: '' })
    bench.answer({ type: dhcp.ACK })
    expect(bench.state).toBe('bound')
  })

  it('ignores answers to others, refusals of servers that it did not choose, and offers without a lease', () => {
    const bench = new Bench()
    bench.step()
    bench.answer({ type: dhcp.OFFER, transaction: 1 })
    bench.answer({ type: dhcp.OFFER, mac: { high: 1, low: 1 } })
    bench.answer({ type: dhcp.OFFER, duration: 0 })
    bench.answer({ type: dhcp.OFFER, address: '224.0.0.1' })
    bench.answer({ type: dhcp.ACK })
    expect(bench.state).toBe('selecting')
    bench.answer({ type: dhcp.OFFER })
    bench.answer({ type: dhcp.NAK, server: parseIpv4('10.0.0.66') })
    expect(bench.state).toBe('requesting')
    expect(bench.client.statistics).toMatchObject({ ignored: 6, naks: 0 })
  })

  it('never throws on, and is never bound by, arbitrary bytes', () => {
    const random = fc.uint8Array({ minLength: 0, maxLength: 400 })
    fc.assert(
      fc.property(random, fc.boolean(), (bytes, plausible) => {
        const bench = new Bench()
        bench.step()
        const message = plausible
          ? Uint8Array.from([
              ...reply({ type: dhcp.OFFER, transaction: 0, mac: MAC, server: SERVER }).slice(0, 240),
              ...bytes,
            ])
          : bytes
        bench.client.receive(message, bench.now)
        expect(bench.leases).toHaveLength(0)
      }),
    )
  })
})
