import type { Family, IpSpec, OptionSpec, PacketSpec, TcpSpec } from '../language/script.ts'
import { concat, pattern, viewOf } from '../wire/bytes.ts'
import { type IpFields, icmpMessage, ipPacket, tcpSegment, udpDatagram } from '../wire/encode.ts'
import { ICMP_MESSAGES } from '../wire/icmp-messages.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/packet.ts'
import {
  encodeOptions,
  OPTION_EOL,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_USER_TIMEOUT,
  OPTION_WINDOW_SCALE,
  type TcpOption,
  words,
} from '../wire/tcp-options.ts'
import type { Flow } from './flow.ts'
import { ADDRESSES, addressBytes } from './subject.ts'

const IPV6_ERROR_MTU = 1280

/** The bytes of an injected packet. Throws where it cannot be built: an error of a family that has it not. */
export function buildPacket(spec: PacketSpec, flow: Flow, family: Family, mtu: number): Uint8Array {
  const ip = ipFields(spec.ip, family)
  const { protocol, payload } = buildTransport(spec, ip, flow, family, mtu)
  if (spec.ip.badChecksum) corruptChecksum(payload, protocol)
  const packet = ipPacket(ip, protocol, payload)
  flow.lastInjected = packet
  return packet
}

function ipFields({ ttl = 64, ecn = 'notect', df, fragment }: IpSpec, family: Family): IpFields {
  const { local, remote } = ADDRESSES[family]
  return {
    source: addressBytes(remote),
    destination: addressBytes(local),
    ttl,
    ecn,
    df: df ?? fragment === undefined,
    fragment: fragment === undefined ? undefined : { from: fragment.min, to: fragment.max },
    identifier: 77,
  }
}

function buildTransport(spec: PacketSpec, ip: IpFields, flow: Flow, family: Family, mtu: number) {
  const { local, remote } = flow.ports
  const sourcePort = spec.ip.from ?? remote
  const destinationPort = spec.ip.to ?? local
  switch (spec.kind) {
    case 'tcp':
      return { protocol: PROTOCOL_TCP, payload: buildTcp(spec, ip, flow, sourcePort, destinationPort, mtu) }
    case 'udp': {
      const { length, lengthField } = spec
      const fields = { length: lengthField ?? 8 + length, sum: spec.ip.noChecksum !== true }
      return {
        protocol: PROTOCOL_UDP,
        payload: udpDatagram(ip, sourcePort, destinationPort, pattern(0, length), fields),
      }
    }
    case 'icmp': {
      const message = ICMP_MESSAGES[spec.message]
      const pair = message[family]
      if (pair === undefined) throw new Error(`IPv${family} has no ICMP message ${spec.message}`)
      const data = message.error ? quotation(flow, family, spec.quote) : pattern(0, spec.length)
      const rest = message.error ? (spec.mtu ?? 0) : 0x0001_0001
      const payload = icmpMessage(ip, pair[0], pair[1], rest, data)
      return { protocol: family === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6, payload }
    }
    case 'ip':
      return { protocol: spec.protocol, payload: pattern(0, spec.length) }
  }
}

function buildTcp(spec: TcpSpec, ip: IpFields, flow: Flow, sourcePort: number, destinationPort: number, mtu: number) {
  if (spec.start === 'new') flow.renewRemote()
  const start = spec.start === 'new' ? 0 : (spec.start as number)
  const flags = spec.flags as string
  // The SYN takes the sequence number before the first byte.
  const first = flags.includes('S') ? start + 1 : start
  return tcpSegment(ip, {
    sourcePort,
    destinationPort,
    sequence: flow.absoluteRemote(start),
    acknowledgment: spec.ack === undefined ? 0 : flow.absoluteLocal(spec.ack),
    flags,
    window: spec.window?.min ?? 65_535,
    urgent: spec.urgent ?? 0,
    dataOffset: spec.dataOffset,
    options: encodeOptions((spec.options ?? []).map((option) => encodeOption(option, flow, mtu, ip))),
    data: pattern(first, spec.length),
  })
}

function encodeOption(option: OptionSpec, flow: Flow, mtu: number, ip: IpFields): TcpOption {
  switch (option.kind) {
    case 'nop':
      return { kind: OPTION_NOP, data: new Uint8Array(0) }
    case 'eol':
      return { kind: OPTION_EOL, data: new Uint8Array(0) }
    case 'sackOK':
      return { kind: OPTION_SACK_PERMITTED, data: new Uint8Array(0) }
    case 'mss': {
      const value = option.value === 'path' ? pathMss(mtu, ip.source.length === 4 ? 4 : 6) : (option.value as number)
      return { kind: OPTION_MSS, data: Uint8Array.of(value >> 8, value & 255) }
    }
    case 'wscale':
      return { kind: OPTION_WINDOW_SCALE, data: Uint8Array.of(option.value as number) }
    case 'TS': {
      const echo = option.echo === 'last' ? flow.lastTimestamp : (flow.timestampBase ?? 0) + (option.echo as number)
      return { kind: OPTION_TIMESTAMPS, data: words(option.value?.min ?? 0, echo) }
    }
    case 'sack': {
      const edges = option.blocks.flatMap(({ min, max }) => [flow.absoluteLocal(min), flow.absoluteLocal(max)])
      return { kind: OPTION_SACK, data: words(...edges) }
    }
    case 'uto':
      return { kind: OPTION_USER_TIMEOUT, data: Uint8Array.of(option.value >> 8, option.value & 255) }
    case 'option':
      return { kind: option.number, data: new Uint8Array(option.length) }
  }
}

/** The largest segment that fits a packet without options (RFC 9293 section 3.7.1). */
export function pathMss(mtu: number, family: Family): number {
  return mtu - (family === 4 ? 40 : 60)
}

/**
 * The packet that an error is about: the last one of the flow, in IPv4 its header and eight bytes more (RFC 792), in IPv6 as
 * much as fits. `sequence` puts another sequence number into it.
 */
function quotation(flow: Flow, family: Family, sequence: number | undefined): Uint8Array {
  const sent = flow.lastSent
  if (sent === undefined) throw new Error('an ICMP error quotes what the subject sent, and it has sent nothing yet')
  const quoted = sent.bytes.slice(0, family === 4 ? 28 : IPV6_ERROR_MTU - 48)
  if (sequence !== undefined) viewOf(quoted).setUint32((family === 4 ? 20 : 40) + 4, flow.absoluteLocal(sequence))
  return family === 4 ? concat(quoted) : quoted
}

function corruptChecksum(payload: Uint8Array, protocol: number): void {
  const at = protocol === PROTOCOL_TCP ? 16 : protocol === PROTOCOL_UDP ? 6 : 2
  payload[at + 1] ^= 1
}
