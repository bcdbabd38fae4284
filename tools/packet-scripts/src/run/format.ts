import { viewOf } from '../wire/bytes.ts'
import { icmpName } from '../wire/icmp-messages.ts'
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
  type TcpOption,
} from '../wire/tcp-options.ts'
import type { Flow } from './flow.ts'

/** A packet of the subject in the words of the script language. */
export function formatPacket(packet: Packet, flow: Flow | undefined): string {
  const { transport, fragment } = packet
  const marks = packet.ecn === 'notect' ? '' : ` ${packet.ecn}`
  if (fragment !== undefined) {
    const { offset, more } = fragment
    return `ip protocol ${packet.protocol} fragment ${offset}:${offset + packet.payload.length}${more ? '' : ' (last)'}`
  }
  switch (transport.kind) {
    case 'tcp':
      return `${formatTcp(transport, flow)}${marks}`
    case 'udp':
      return `udp ${transport.data.length}${marks} (${transport.sourcePort} to ${transport.destinationPort})`
    case 'icmp': {
      const name = icmpName(packet.family, transport.type, transport.code)
      return `icmp ${name ?? `type ${transport.type} code ${transport.code}`} of ${transport.data.length} bytes`
    }
    default:
      return `ip protocol ${packet.protocol} ${packet.payload.length}`
  }
}

function formatTcp(segment: TcpSegment, flow: Flow | undefined): string {
  const { flags, data, window, urgent } = segment
  const start = flow === undefined ? segment.sequence : flow.relativeLocal(segment.sequence)
  const ack = flow === undefined ? segment.acknowledgment : flow.relativeRemote(segment.acknowledgment)
  const range = data.length === 0 ? `${start}` : `${start}:${start + data.length}`
  const words = [flags === '' ? '-' : flags, range]
  if (flags.includes('.')) words.push(`ack ${ack}`)
  words.push(`win ${window}`)
  if (flags.includes('U')) words.push(`urg ${urgent}`)
  const options = segment.options.filter(({ kind }) => kind !== OPTION_NOP && kind !== OPTION_EOL)
  if (options.length > 0) words.push(`<${options.map((option) => formatOption(option, flow)).join(', ')}>`)
  return words.join(' ')
}

export function formatOption({ kind, data }: TcpOption, flow: Flow | undefined): string {
  const view = viewOf(data)
  switch (kind) {
    case OPTION_MSS:
      return `mss ${data.length === 2 ? view.getUint16(0) : 'malformed'}`
    case OPTION_WINDOW_SCALE:
      return `wscale ${data[0]}`
    case OPTION_SACK_PERMITTED:
      return 'sackOK'
    case OPTION_TIMESTAMPS: {
      const value = view.getUint32(0)
      return `TS val ${flow?.timestampBase === undefined ? value : (value - flow.timestampBase) | 0} ecr ${view.getUint32(4)}`
    }
    case OPTION_SACK: {
      const edge = (at: number) => (flow === undefined ? view.getUint32(at) : flow.relativeRemote(view.getUint32(at)))
      const blocks = Array.from({ length: data.length / 8 }, (_, i) => `${edge(8 * i)}:${edge(8 * i + 4)}`)
      return `sack ${blocks.join(' ')}`
    }
    case OPTION_USER_TIMEOUT:
      return `uto ${view.getUint16(0)}`
    default:
      return `option ${kind} ${data.length}`
  }
}

/** Seconds with microseconds. */
export function formatTime(nanoseconds: number): string {
  return `${(nanoseconds / 1e9).toFixed(6)} s`
}
