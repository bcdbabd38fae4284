import type { Family, OptionSpec, PacketSpec, TcpSpec } from '../language/script.ts'
import { patternBreak, viewOf } from '../wire/bytes.ts'
import { ICMP_MESSAGES } from '../wire/icmp-messages.ts'
import type { Packet, TcpSegment } from '../wire/packet.ts'
import {
  OPTION_EOL,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_USER_TIMEOUT,
  OPTION_WINDOW_SCALE,
} from '../wire/tcp-options.ts'
import { pathMss } from './build-packet.ts'
import type { Flow } from './flow.ts'
import { formatOption } from './format.ts'

export interface Circumstances {
  readonly flow: Flow
  readonly family: Family
  readonly mtu: number
  /** How far a time stamp may be off, in milliseconds. */
  readonly timestampTolerance: number
}

/** What is different about a packet from what was expected, as sentences; empty when it is the one. */
export function mismatches(packet: Packet, spec: PacketSpec, circumstances: Circumstances): string[] {
  const wrong = [...packet.defects]
  const say = (name: string, seen: unknown, expected: unknown) => {
    if (seen !== expected) wrong.push(`${name} is ${seen}, not ${expected}`)
  }
  const { ip } = spec
  if (ip.ecn !== undefined) say('the ECN field', packet.ecn, ip.ecn)
  if (ip.ttl !== undefined) say('the time to live', packet.ttl, ip.ttl)
  if (ip.df !== undefined) say("the don't-fragment bit", packet.df, ip.df)
  if (ip.fragment !== undefined || packet.fragment !== undefined) {
    const { fragment, payload } = packet
    const seen = fragment === undefined ? 'none' : `${fragment.offset}:${fragment.offset + payload.length}`
    say('the fragment', seen, ip.fragment === undefined ? 'none' : `${ip.fragment.min}:${ip.fragment.max}`)
    return wrong
  }
  const { transport } = packet
  if (spec.kind === 'ip') {
    say('the protocol', packet.protocol, spec.protocol)
    return wrong
  }
  if (transport.kind !== spec.kind) {
    wrong.push(`it is ${transport.kind}, not ${spec.kind}`)
    return wrong
  }
  if (transport.kind !== 'icmp') {
    const { local, remote } = circumstances.flow.ports
    say('the source port', transport.sourcePort, ip.from ?? local)
    say('the destination port', transport.destinationPort, ip.to ?? remote)
  }
  switch (spec.kind) {
    case 'tcp':
      matchTcp(transport as TcpSegment, spec, circumstances, say, wrong)
      break
    case 'udp': {
      const { data } = transport as { data: Uint8Array }
      say('the number of bytes', data.length, spec.length)
      matchData(data, 0, wrong)
      break
    }
    case 'icmp':
      matchIcmp(packet, spec.message, spec.mtu, spec.length, circumstances, say, wrong)
      break
  }
  return wrong
}

type Say = (name: string, seen: unknown, expected: unknown) => void

function matchTcp(segment: TcpSegment, spec: TcpSpec, where: Circumstances, say: Say, wrong: string[]): void {
  const { flow } = where
  if (spec.flags !== undefined) {
    // PSH is the sender's affair (RFC 9293 section 3.9.1.2): it counts where the script has it.
    const flags = spec.flags.includes('P') ? segment.flags : segment.flags.replace('P', '')
    say('the flags word', flags === '' ? '-' : flags, spec.flags === '' ? '-' : spec.flags)
  }
  const start = flow.relativeLocal(segment.sequence)
  if (spec.start !== undefined) {
    say('the sequence number', start, spec.start === 'new' ? 0 : spec.start)
    say('the number of bytes', segment.data.length, spec.length)
  }
  if (spec.ack !== undefined) say('the acknowledgment', flow.relativeRemote(segment.acknowledgment), spec.ack)
  if (spec.window !== undefined && (segment.window < spec.window.min || segment.window > spec.window.max)) {
    say('the window', segment.window, `from ${spec.window.min} to ${spec.window.max}`)
  }
  if (spec.urgent !== undefined) say('the urgent pointer', segment.urgent, spec.urgent)
  if (spec.options !== undefined) matchOptions(segment, spec.options, spec.moreOptions, where, wrong)
  matchData(segment.data, segment.flags.includes('S') ? start + 1 : start, wrong)
}

function matchData(data: Uint8Array, start: number, wrong: string[]): void {
  const at = patternBreak(data, start)
  if (at >= 0) wrong.push(`the data is not what was written from byte ${at} on`)
}

/** The order of options is the sender's; padding does not count. */
function matchOptions(
  segment: TcpSegment,
  expected: readonly OptionSpec[],
  more: boolean,
  where: Circumstances,
  wrong: string[],
): void {
  const seen = segment.options.filter(({ kind }) => kind !== OPTION_NOP && kind !== OPTION_EOL)
  for (const spec of expected) {
    if (spec.kind === 'nop' || spec.kind === 'eol') continue
    const index = seen.findIndex(({ kind }) => kind === numberOf(spec))
    if (index < 0) {
      wrong.push(`the option ${spec.kind} is missing`)
      continue
    }
    const [option] = seen.splice(index, 1)
    if (!sameOption(option.data, spec, where)) {
      wrong.push(`an option is '${formatOption(option, where.flow)}', not what is expected`)
    }
  }
  if (!more) for (const option of seen) wrong.push(`the option '${formatOption(option, where.flow)}' is not expected`)
}

function numberOf(spec: OptionSpec): number {
  switch (spec.kind) {
    case 'mss':
      return OPTION_MSS
    case 'wscale':
      return OPTION_WINDOW_SCALE
    case 'sackOK':
      return OPTION_SACK_PERMITTED
    case 'sack':
      return OPTION_SACK
    case 'TS':
      return OPTION_TIMESTAMPS
    case 'uto':
      return OPTION_USER_TIMEOUT
    case 'option':
      return spec.number
    default:
      return OPTION_NOP
  }
}

function sameOption(data: Uint8Array, spec: OptionSpec, { flow, family, mtu, timestampTolerance }: Circumstances) {
  const view = viewOf(data)
  switch (spec.kind) {
    case 'mss':
      return (
        spec.value === undefined || view.getUint16(0) === (spec.value === 'path' ? pathMss(mtu, family) : spec.value)
      )
    case 'wscale':
      return spec.value === undefined || data[0] === spec.value
    case 'uto':
      return view.getUint16(0) === spec.value
    case 'option':
      return data.length === spec.length
    case 'TS': {
      const value = (view.getUint32(0) - (flow.timestampBase ?? 0)) | 0
      const range = spec.value
      if (range && (value < range.min - timestampTolerance || value > range.max + timestampTolerance)) return false
      return spec.echo === undefined || spec.echo === 'last' || view.getUint32(4) === spec.echo >>> 0
    }
    case 'sack': {
      const edges = spec.blocks.flatMap(({ min, max }) => [min, max])
      return (
        data.length === edges.length * 4 &&
        edges.every((edge, i) => flow.relativeRemote(view.getUint32(i * 4)) === edge)
      )
    }
    default:
      return true
  }
}

function matchIcmp(
  packet: Packet,
  name: string,
  mtu: number | undefined,
  length: number,
  { family, flow }: Circumstances,
  say: Say,
  wrong: string[],
): void {
  const { transport } = packet
  if (transport.kind !== 'icmp') return
  const message = ICMP_MESSAGES[name]
  const pair = message[family]
  say('the ICMP type and code', `${transport.type}/${transport.code}`, pair === undefined ? 'none' : pair.join('/'))
  if (!message.error) {
    say('the number of bytes', transport.data.length, length)
    matchData(transport.data, 0, wrong)
    return
  }
  if (mtu !== undefined) say('the MTU', family === 4 ? transport.rest & 0xffff : transport.rest, mtu)
  // The quotation is what was injected, as much of it as there is; RFC 1122 section 3.2.2 asks for 8 bytes at least.
  const { lastInjected } = flow
  const header = family === 4 ? 20 : 40
  if (lastInjected === undefined || transport.data.length < Math.min(header + 8, lastInjected.length)) {
    wrong.push(`the error quotes ${transport.data.length} bytes`)
    return
  }
  for (const [i, byte] of transport.data.entries()) {
    // Time to live and header checksum may have changed on the way.
    if (family === 4 && (i === 8 || i === 10 || i === 11)) continue
    if (i === 7 && family === 6) continue
    if (i < lastInjected.length && byte !== lastInjected[i]) {
      wrong.push(`byte ${i} of the quotation is not that of the packet`)
      return
    }
  }
}
