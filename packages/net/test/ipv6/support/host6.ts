import type { NetLibOS, NetOptions } from '../../../src/index.ts'
import { CLIENT_MAC, SERVER_MAC } from '../../support/frames.ts'
import type { MachineOptions } from '../../support/machines.ts'
import { type Bench, stackAndWire } from '../../support/wire.ts'
import {
  addressBytes,
  concat,
  frame6,
  HOST,
  type Ipv6Fields,
  icmpv6Message,
  ipv6Packet,
  linkLayerOption,
  PEER,
  readIpv6,
  u32,
} from './frames6.ts'

/** The wire's link-local address: who asks and answers for neighbours. */
export const PEER_LOCAL = 'fe80::2'
export const HOST_GROUP_MAC = '33:33:ff:00:00:01'

/** What a test says about a received IPv6 frame. */
export interface Seen6 {
  readonly to: string
  readonly source: string
  readonly destination: string
  readonly next: number
  readonly hopLimit: number
  readonly payload: Uint8Array
  /** Type of an ICMPv6 message, past a hop-by-hop header; -1 for others. */
  readonly type: number
  /** The message, past a hop-by-hop header. */
  readonly message: Uint8Array
}

export interface Bench6 extends Bench {
  /** IPv6 packets that have come since the last call. */
  taken(): Seen6[]
  /** Sends a packet of ours to the stack. */
  send(packet: Uint8Array, fields?: { to?: string; from?: string }): void
  /** Sends, lets everything happen that happens at once, and answers what came. */
  exchange(packet: Uint8Array, fields?: { to?: string; from?: string }): Seen6[]
  run(nanoseconds: number): void
}

/**
 * A libOS at 2001:db8::1/64, whose addresses need no check, and a wire that plays 2001:db8::2 and fe80::2.
 * @param settled nanoseconds that have passed since the start
 */
export async function host6(
  options: Partial<NetOptions> = {},
  setup: Partial<Omit<MachineOptions, 'options'>> = {},
  settled = 5e9,
): Promise<Bench6> {
  const bench = await stackAndWire(
    { ipv6: 'static', addresses: [`${HOST}/64`], ndProbes: 0, addressSecret: 'test', ...options },
    setup,
  )
  const taken = () =>
    bench.wire
      .receive()
      .filter(({ type }) => type === 0x86dd)
      .map(({ to, payload }): Seen6 => {
        const packet = readIpv6(payload)
        const message = packet.next === 0 ? packet.payload.slice(8) : packet.payload
        const isIcmp = packet.next === 58 || (packet.next === 0 && packet.payload[0] === 58)
        return { to, ...packet, type: isIcmp ? message[0] : -1, message }
      })
  const run = (nanoseconds: number) => bench.machines.run(nanoseconds)
  const send = (packet: Uint8Array, fields: { to?: string; from?: string } = {}) =>
    bench.wire.send(frame6(packet, fields))
  // What the start had to say: probes, group reports.
  run(settled)
  if (settled > 0) bench.wire.receive()
  return {
    ...bench,
    taken,
    run,
    send,
    exchange(packet, fields) {
      send(packet, fields)
      run(1e6)
      return taken()
    },
  }
}

/** An ICMPv6 packet to the stack. */
export function icmpPacket(type: number, code: number, body: Uint8Array | readonly number[], fields: Ipv6Fields = {}) {
  return ipv6Packet(icmpv6Message(type, code, body, fields), { nextHeader: 58, ...fields })
}

/** A solicitation for `target` by the wire. */
export function solicitation(target: string, fields: Ipv6Fields = {}, options = linkLayerOption(1, CLIENT_MAC)) {
  const body = concat(u32(0), addressBytes(target), options)
  return icmpPacket(135, 0, body, { source: PEER_LOCAL, destination: target, hopLimit: 255, ...fields })
}

/** An advertisement of `target` by the wire. */
export function advertisement(
  target: string,
  flags: number,
  fields: Ipv6Fields = {},
  options = linkLayerOption(2, CLIENT_MAC),
) {
  const body = concat(u32(flags), addressBytes(target), options)
  return icmpPacket(136, 0, body, { source: target, destination: HOST, hopLimit: 255, ...fields })
}

/** Makes 2001:db8::2 and fe80::2 reachable neighbours. */
export function teach6(bench: Bench6): void {
  for (const source of [PEER, PEER_LOCAL]) bench.exchange(solicitation(HOST, { source }))
}

/** A counter by its group and name. */
export function counter6(libos: NetLibOS, name: string): number {
  const [group, key] = name.split('.')
  const value = libos.statistics()[group]?.[key]
  if (value === undefined) throw new Error(`there is no counter ${name}`)
  return value
}

export { CLIENT_MAC, SERVER_MAC }
