import { formatIpv4, formatIpv6 } from '@parakernel/queue'
import { decodeName, encodeName } from './name.ts'

/** Record types that are read (RFC 1035 section 3.2.2, RFC 3596, RFC 2782). */
export const RECORD_TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const
export type RecordType = keyof typeof RECORD_TYPES

const CLASS_IN = 1
const TYPE_OPT = 41
export const HEADER_LENGTH = 12

/** Response codes (RFC 1035 section 4.1.1). */
export const NO_ERROR = 0
export const FORMAT_ERROR = 1
export const NAME_ERROR = 3

/**
 * What we say that we can take in one datagram (RFC 6891): little enough for one packet on nearly every path, so that an answer
 * is not lost with one of its fragments, nor forged by one.
 */
export const UDP_PAYLOAD = 1232

/** The data of a record, by its type. */
export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME' | 'NS' | 'PTR'; readonly name: string }
  | { readonly type: 'MX'; readonly preference: number; readonly name: string }
  | { readonly type: 'TXT'; readonly texts: readonly string[] }
  | {
      readonly type: 'SRV'
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly name: string
    }
  /** `minimum` bounds how long the absence of a name is remembered (RFC 2308 section 4). */
  | { readonly type: 'SOA'; readonly name: string; readonly minimum: number }

/** A record of an answer. */
export type ResourceRecord = RecordData & {
  readonly owner: string
  /** Seconds. */
  readonly ttl: number
}

/** A response, read. */
export interface Response {
  readonly identifier: number
  readonly truncated: boolean
  readonly code: number
  /** The question that it answers, as it came back. */
  readonly question: { readonly name: string; readonly type: number }
  readonly answers: readonly ResourceRecord[]
  readonly authority: readonly ResourceRecord[]
}

/** A recursive query with an EDNS(0) record. @throws EINVAL for what is no name */
export function encodeQuery(identifier: number, name: string, type: RecordType, edns: boolean): Uint8Array {
  const question = encodeName(name)
  const message = new Uint8Array(HEADER_LENGTH + question.length + 4 + (edns ? 11 : 0))
  const view = new DataView(message.buffer)
  view.setUint16(0, identifier)
  message[2] = 0x01 // RD: recursion desired
  view.setUint16(4, 1)
  view.setUint16(10, edns ? 1 : 0)
  message.set(question, HEADER_LENGTH)
  const at = HEADER_LENGTH + question.length
  view.setUint16(at, RECORD_TYPES[type])
  view.setUint16(at + 2, CLASS_IN)
  if (edns) {
    // The root, OPT, our payload size; extended code, version and flags are zero, and there are no options.
    view.setUint16(at + 5, TYPE_OPT)
    view.setUint16(at + 7, UDP_PAYLOAD)
  }
  return message
}

/** Reads a response to one question; undefined for anything that is malformed, or no response. */
export function decodeResponse(message: Uint8Array): Response | undefined {
  if (message.length < HEADER_LENGTH) return undefined
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const flags = view.getUint16(2)
  const isResponse = (flags & 0x8000) !== 0
  const opcode = (flags >>> 11) & 15
  if (!isResponse || opcode !== 0 || view.getUint16(4) !== 1) return undefined
  const asked = decodeName(message, HEADER_LENGTH)
  if (asked === undefined || asked.end + 4 > message.length || view.getUint16(asked.end + 2) !== CLASS_IN)
    return undefined
  const truncated = (flags & 0x0200) !== 0
  const response = {
    identifier: view.getUint16(0),
    truncated,
    code: flags & 15,
    question: { name: asked.name, type: view.getUint16(asked.end) },
    answers: [] as ResourceRecord[],
    authority: [] as ResourceRecord[],
  }
  let at: number | undefined = asked.end + 4
  for (const [count, into] of [
    [view.getUint16(6), response.answers],
    [view.getUint16(8), response.authority],
  ] as const) {
    for (let i = 0; i < count; i++) {
      at = decodeRecord(message, view, at, into)
      // A truncated message may end anywhere: what it says is thrown away in favour of TCP.
      if (at === undefined) return truncated ? response : undefined
    }
  }
  return response
}

/** Adds the record at `at` to `into`, if it is of a type that is read; where the next one stands, undefined when malformed. */
function decodeRecord(message: Uint8Array, view: DataView, at: number, into: ResourceRecord[]): number | undefined {
  const owner = decodeName(message, at)
  if (owner === undefined || owner.end + 10 > message.length) return undefined
  const type = view.getUint16(owner.end)
  const inClass = view.getUint16(owner.end + 2) === CLASS_IN
  const raw = view.getUint32(owner.end + 4)
  // RFC 2181 section 8: a TTL with the highest bit set is taken as zero.
  const ttl = raw > 0x7fff_ffff ? 0 : raw
  const data = owner.end + 10
  const end = data + view.getUint16(owner.end + 8)
  if (end > message.length) return undefined
  if (!inClass) return end
  const record = decodeData(message, view, type, data, end)
  if (record === undefined) return undefined
  if (record !== UNREAD) into.push({ ...record, owner: owner.name, ttl })
  return end
}

const UNREAD = Symbol('a record of a type that is not read')

function decodeData(
  message: Uint8Array,
  view: DataView,
  type: number,
  at: number,
  end: number,
): RecordData | typeof UNREAD | undefined {
  const length = end - at
  /** A name that must end exactly where the record does. */
  const nameAt = (position: number, last = true): string | undefined => {
    const decoded = position < end ? decodeName(message, position) : undefined
    return decoded === undefined || (last ? decoded.end !== end : decoded.end > end) ? undefined : decoded.name
  }
  switch (type) {
    case RECORD_TYPES.A:
      return length === 4 ? { type: 'A', address: formatIpv4(view.getInt32(at)) } : undefined
    case RECORD_TYPES.AAAA:
      return length === 16 ? { type: 'AAAA', address: formatIpv6(wordsAt(view, at)) } : undefined
    case RECORD_TYPES.CNAME:
    case RECORD_TYPES.NS:
    case RECORD_TYPES.PTR: {
      const name = nameAt(at)
      const kind = type === RECORD_TYPES.CNAME ? 'CNAME' : type === RECORD_TYPES.NS ? 'NS' : 'PTR'
      return name === undefined ? undefined : { type: kind, name }
    }
    case RECORD_TYPES.MX: {
      const name = length > 2 ? nameAt(at + 2) : undefined
      return name === undefined ? undefined : { type: 'MX', preference: view.getUint16(at), name }
    }
    case RECORD_TYPES.SRV: {
      const name = length > 6 ? nameAt(at + 6) : undefined
      if (name === undefined) return undefined
      const [priority, weight, port] = [view.getUint16(at), view.getUint16(at + 2), view.getUint16(at + 4)]
      return { type: 'SRV', priority, weight, port, name }
    }
    case RECORD_TYPES.TXT: {
      const texts: string[] = []
      for (let i = at; i < end; i += message[i] + 1) {
        if (i + 1 + message[i] > end) return undefined
        texts.push(new TextDecoder().decode(message.slice(i + 1, i + 1 + message[i])))
      }
      return { type: 'TXT', texts }
    }
    case RECORD_TYPES.SOA: {
      const name = nameAt(at, false)
      return name === undefined || length < 22 ? undefined : { type: 'SOA', name, minimum: view.getUint32(end - 4) }
    }
    default:
      return UNREAD
  }
}

function wordsAt(view: DataView, at: number): Int32Array {
  return Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i))
}
