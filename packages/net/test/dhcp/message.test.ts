import { describe, expect, it } from 'vitest'
import { leaseFrom } from '../../src/dhcp/lease.ts'
import * as dhcp from '../../src/dhcp/message.ts'
import { parseIpv4 } from '../../src/ipv4/address.ts'
import { type Reply, reply } from './support/server.ts'

const MAC = { high: 0x0200_0000, low: 1 }
const SERVER = parseIpv4('10.0.0.254')
const ack = (fields: Partial<Reply> = {}) =>
  reply({ type: dhcp.ACK, transaction: 1, mac: MAC, server: SERVER, ...fields })

function lease(fields: Partial<Reply> = {}) {
  const message = dhcp.decodeMessage(ack(fields))
  return message === undefined ? undefined : leaseFrom(message)
}

describe('DHCP messages', () => {
  it('are padded to the length of a BOOTP message, and name the client', () => {
    const bytes = dhcp.encodeMessage({
      type: dhcp.DISCOVER,
      transaction: 0x1234_5678,
      mac: MAC,
      seconds: 3,
      clientAddress: 0,
      broadcast: true,
    })
    expect(bytes).toHaveLength(300)
    expect([...bytes.slice(0, 12)]).toEqual([1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 3, 0x80, 0])
    expect([...bytes.slice(28, 34)]).toEqual([2, 0, 0, 0, 0, 1])
    expect([...bytes.slice(236, 243)]).toEqual([0x63, 0x82, 0x53, 0x63, dhcp.MESSAGE_TYPE, 1, dhcp.DISCOVER])
  })

  it('may go on in the file and server name fields (option overload)', () => {
    const bytes = ack({ options: { 52: [3], [dhcp.ROUTER]: [] } })
    bytes.set([dhcp.ROUTER, 4, 10, 0, 0, 9, 255], 108)
    bytes.set([dhcp.NTP_SERVERS, 4, 10, 0, 0, 8, 255], 44)
    const message = dhcp.decodeMessage(bytes)
    expect([...(message?.options.get(dhcp.ROUTER) ?? [])]).toEqual([10, 0, 0, 9])
    expect([...(message?.options.get(dhcp.NTP_SERVERS) ?? [])]).toEqual([10, 0, 0, 8])
  })

  it('join the pieces of an option (RFC 3396)', () => {
    const whole = ack()
    const bytes = Uint8Array.from([...whole.slice(0, -1), dhcp.DNS_SERVERS, 4, 10, 0, 0, 54, 255])
    const message = dhcp.decodeMessage(bytes)
    expect([...(message?.options.get(dhcp.DNS_SERVERS) ?? [])]).toEqual([10, 0, 0, 53, 10, 0, 0, 54])
  })

  it('are refused when they are truncated, no reply, without a type, or an option runs over', () => {
    expect(dhcp.decodeMessage(ack().slice(0, 200))).toBeUndefined()
    expect(dhcp.decodeMessage(ack().with(0, 1))).toBeUndefined()
    expect(dhcp.decodeMessage(ack().with(236, 0))).toBeUndefined()
    expect(dhcp.decodeMessage(Uint8Array.from([...ack().slice(0, 240), 255]))).toBeUndefined()
    expect(dhcp.decodeMessage(Uint8Array.from([...ack().slice(0, -1), 43, 200, 1]))).toBeUndefined()
  })
})

describe('leases', () => {
  it('take T1 and T2 from the server, when they are in order (section 4.4.5)', () => {
    const times = (t1: number, t2: number) => ({
      options: { [dhcp.RENEWAL_TIME]: [0, 0, 0, t1], [dhcp.REBINDING_TIME]: [0, 0, 0, t2] },
    })
    expect(lease(times(100, 200))).toMatchObject({ renewal: 100, rebinding: 200 })
    expect(lease(times(200, 100))).toMatchObject({ renewal: 1800, rebinding: 3150 })
    expect(lease({ duration: 0xffff_ffff })).toMatchObject({ duration: Number.POSITIVE_INFINITY })
  })

  it('prefer classless routes to routers (RFC 3442)', () => {
    const routes = [24, 192, 168, 7, 10, 0, 0, 2, 0, 10, 0, 0, 3, 32, 1, 2, 3, 4, 0, 0, 0, 0]
    expect(lease({ options: { [dhcp.CLASSLESS_ROUTES]: routes } })?.routes).toEqual([
      { destination: parseIpv4('192.168.7.0'), prefix: 24, gateway: parseIpv4('10.0.0.2') },
      { destination: 0, prefix: 0, gateway: parseIpv4('10.0.0.3') },
      { destination: parseIpv4('1.2.3.4'), prefix: 32, gateway: 0 },
    ])
  })

  it('read the search list (RFC 3397) with its compression, and believe no senseless MTU or mask', () => {
    const search = [3, 97, 98, 99, 0, 1, 120, 0xc0, 0]
    expect(lease({ options: { [dhcp.DOMAIN_SEARCH]: search } })?.search).toEqual(['abc', 'x.abc'])
    expect(lease({ options: { [dhcp.INTERFACE_MTU]: [5, 0] } })?.mtu).toBe(1280)
    expect(lease({ options: { [dhcp.INTERFACE_MTU]: [0, 68] } })?.mtu).toBeUndefined()
    expect(lease({ options: { [dhcp.SUBNET_MASK]: [255, 0, 255, 0] } })).toBeUndefined()
  })
})
