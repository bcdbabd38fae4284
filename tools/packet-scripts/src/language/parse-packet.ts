import { ICMP_MESSAGES } from '../wire/icmp-messages.ts'
import type { Line } from './line.ts'
import { type Options, parseOptions, parseRange } from './parse-options.ts'
import type { IcmpSpec, IpSpec, PacketSpec, Range, RawSpec, TcpSpec, UdpSpec } from './script.ts'

const FLAGS = 'SFRPUEW.'
const FLAG_WORD = /^([SFRPUEW]+\.?|\.|-)$/
const IP_WORDS = 'notect, ect0, ect1, ce, ttl N, df, nodf, fragment A:B, bad-checksum, no-checksum, from PORT, to PORT'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What follows an arrow; `injected` packets take no wildcards. */
export function parsePacket(line: Line, flow: number, injected: boolean): PacketSpec {
  switch (line.next) {
    case 'udp':
      line.take('')
      return parseUdp(line, flow)
    case 'icmp':
      line.take('')
      return parseIcmp(line, flow)
    case 'ip':
      line.take('')
      return parseRaw(line, flow)
    default:
      return parseTcp(line, flow, injected)
  }
}

function parseTcp(line: Line, flow: number, injected: boolean): PacketSpec {
  const flags = parseFlags(line)
  const { start, length } = parseSequence(line)
  const ip: Mutable<IpSpec> = {}
  let ack: number | undefined
  let window: Range | undefined
  let urgent: number | undefined
  let dataOffset: number | undefined
  let options: Options | undefined
  while (!line.atEnd) {
    if (line.accept('ack')) ack = line.accept('*') ? undefined : line.integer('a sequence number', -0x8000_0000)
    else if (line.accept('win')) window = line.accept('*') ? undefined : parseRange(line, 'a window')
    else if (line.accept('urg')) urgent = line.integer('an urgent pointer', 0, 0xffff)
    else if (line.accept('offset')) dataOffset = line.integer('a data offset in words', 0, 15)
    else if (line.accept('<')) options = parseOptions(line)
    else if (!parseIpWord(line, ip)) throw line.wrong(`ack N, win N, urg N, offset N, <options>, ${IP_WORDS}`)
  }
  const spec: TcpSpec = {
    kind: 'tcp',
    flags,
    start,
    length,
    ack,
    window,
    urgent,
    dataOffset,
    options: options?.options,
    moreOptions: options?.more ?? false,
  }
  if (injected) mustBeComplete(line, spec)
  return { flow, ip, ...spec }
}

function mustBeComplete(line: Line, { flags, start, options = [], moreOptions, window }: TcpSpec): void {
  const open = options.some(
    (option) => ('value' in option && option.value === undefined) || ('echo' in option && option.echo === undefined),
  )
  if (flags === undefined || start === undefined || open || moreOptions || (window && window.min !== window.max)) {
    throw line.error('an injected packet is complete: no wildcards and no ranges in it')
  }
}

function parseFlags(line: Line): string | undefined {
  if (line.accept('*')) return undefined
  if (!FLAG_WORD.test(line.next)) {
    throw line.wrong('TCP flags (some of S F R P U E W, then . for ACK; - for none; *), udp, icmp, ip')
  }
  const word = line.take('')
  return [...FLAGS].filter((flag) => word.includes(flag)).join('')
}

function parseSequence(line: Line): { start: TcpSpec['start']; length: number } {
  if (line.accept('*')) return { start: undefined, length: 0 }
  const match = /^(?:(-?\d+)|new)(?::(-?\d+))?$/.exec(line.next)
  const start = match?.[1] === undefined ? 0 : Number(match[1])
  const end = match?.[2] === undefined ? start : Number(match[2])
  if (match === null || end < start) throw line.wrong('sequence numbers as in 1 or 1:1001, new, or *')
  line.take('')
  return { start: match[1] === undefined ? 'new' : start, length: end - start }
}

function parseUdp(line: Line, flow: number): PacketSpec {
  const ip: Mutable<IpSpec> = {}
  const length = line.integer('bytes of data', 0, 65_507)
  let lengthField: number | undefined
  while (!line.atEnd) {
    if (line.accept('length')) lengthField = line.integer('a length field', 0, 0xffff)
    else if (!parseIpWord(line, ip)) throw line.wrong(`length N, ${IP_WORDS}`)
  }
  const spec: UdpSpec = { kind: 'udp', length, lengthField }
  return { flow, ip, ...spec }
}

function parseIcmp(line: Line, flow: number): PacketSpec {
  const ip: Mutable<IpSpec> = {}
  const spec: Mutable<IcmpSpec> = { kind: 'icmp', message: '', mtu: undefined, length: 0, quote: undefined }
  spec.message = line.oneOf(Object.keys(ICMP_MESSAGES))
  while (!line.atEnd) {
    if (line.accept('mtu')) spec.mtu = line.integer('an MTU', 0, 0xffff)
    else if (line.accept('length')) spec.length = line.integer('bytes of data', 0, 65_507)
    else if (line.accept('quote')) spec.quote = line.integer('a sequence number', -0x8000_0000)
    else if (!parseIpWord(line, ip)) throw line.wrong(`mtu N, length N, quote SEQUENCE, ${IP_WORDS}`)
  }
  return { flow, ip, ...spec }
}

function parseRaw(line: Line, flow: number): PacketSpec {
  const ip: Mutable<IpSpec> = {}
  line.expect('protocol')
  const spec: RawSpec = {
    kind: 'ip',
    protocol: line.integer('a protocol', 0, 255),
    length: line.integer('bytes', 0, 65_000),
  }
  while (!line.atEnd) if (!parseIpWord(line, ip)) throw line.wrong(IP_WORDS)
  return { flow, ip, ...spec }
}

function parseIpWord(line: Line, ip: Mutable<IpSpec>): boolean {
  switch (line.next) {
    case 'notect':
    case 'ect0':
    case 'ect1':
    case 'ce':
      ip.ecn = line.take('') as 'ce'
      return true
    case 'df':
    case 'nodf':
      ip.df = line.take('') === 'df'
      return true
    case 'bad-checksum':
      line.take('')
      ip.badChecksum = true
      return true
    case 'no-checksum':
      line.take('')
      ip.noChecksum = true
      return true
    case 'ttl':
      line.take('')
      ip.ttl = line.integer('a time to live', 0, 255)
      return true
    case 'from':
      line.take('')
      ip.from = line.integer('a port', 0, 0xffff)
      return true
    case 'to':
      line.take('')
      ip.to = line.integer('a port', 0, 0xffff)
      return true
    case 'fragment': {
      line.take('')
      const match = /^(\d+):(\d+)$/.exec(line.next)
      if (match === null) throw line.wrong('the bytes of the IP payload, as in 0:1480')
      line.take('')
      ip.fragment = { min: Number(match[1]), max: Number(match[2]) }
      return true
    }
    default:
      return false
  }
}
