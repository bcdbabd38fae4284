/** DHCP messages (RFC 2131 section 2), without Ethernet, IP and UDP around them. */
import type { MacParts } from '../ethernet/mac.ts'
import type { Ipv4Address } from '../ipv4/address.ts'

export const SERVER_PORT = 67
export const CLIENT_PORT = 68

/** Message types (RFC 2132 section 9.6). */
export const DISCOVER = 1
export const OFFER = 2
export const REQUEST = 3
export const DECLINE = 4
export const ACK = 5
export const NAK = 6
export const RELEASE = 7

/** Options (RFC 2132; 119: RFC 3397; 121: RFC 3442). */
export const SUBNET_MASK = 1
export const ROUTER = 3
export const DNS_SERVERS = 6
export const HOST_NAME = 12
export const DOMAIN_NAME = 15
export const INTERFACE_MTU = 26
export const NTP_SERVERS = 42
export const REQUESTED_ADDRESS = 50
export const LEASE_TIME = 51
const OVERLOAD = 52
export const MESSAGE_TYPE = 53
export const SERVER_IDENTIFIER = 54
const PARAMETERS = 55
export const MESSAGE = 56
const MAXIMUM_SIZE = 57
export const RENEWAL_TIME = 58
export const REBINDING_TIME = 59
const CLIENT_IDENTIFIER = 61
export const DOMAIN_SEARCH = 119
export const CLASSLESS_ROUTES = 121
const PAD = 0
const END = 255

const BOOT_REQUEST = 1
const BOOT_REPLY = 2
const ETHERNET = 1
const BROADCAST_FLAG = 0x8000
const COOKIE = 0x6382_5363
const SERVER_NAME = 44
const FILE = 108
const COOKIE_AT = 236
const OPTIONS_AT = 240
/** Section 2: relays and servers of old want at least a BOOTP message's length. */
const LEAST = 300
/** What we take: one unfragmented packet on any Ethernet. */
const MOST = 1472

export interface ClientMessage {
  readonly type: number
  readonly transaction: number
  readonly mac: MacParts
  /** Seconds since the client began. */
  readonly seconds: number
  /** Our address, if the server may answer to it; 0 otherwise. */
  readonly clientAddress: Ipv4Address
  /** Asks for the answer to be broadcast: we cannot take a packet for an address that we do not have yet. */
  readonly broadcast: boolean
  readonly requested?: Ipv4Address | undefined
  readonly server?: Ipv4Address | undefined
  readonly hostName?: string | undefined
  /** Text for the server's log, on a decline. */
  readonly message?: string
}

export interface ServerMessage {
  readonly type: number
  readonly transaction: number
  /** `yiaddr`. */
  readonly address: Ipv4Address
  readonly mac: MacParts
  /** The data of each option; pieces of one option are joined (RFC 3396). */
  readonly options: ReadonlyMap<number, Uint8Array>
}

export function encodeMessage(message: ClientMessage): Uint8Array {
  const bytes = new Uint8Array(576)
  const view = new DataView(bytes.buffer)
  bytes[0] = BOOT_REQUEST
  bytes[1] = ETHERNET
  bytes[2] = 6
  view.setUint32(4, message.transaction)
  view.setUint16(8, Math.min(message.seconds, 0xffff))
  view.setUint16(10, message.broadcast ? BROADCAST_FLAG : 0)
  view.setInt32(12, message.clientAddress)
  view.setInt32(28, message.mac.high)
  view.setUint16(32, message.mac.low)
  view.setUint32(COOKIE_AT, COOKIE)
  let at = OPTIONS_AT
  const option = (code: number, ...data: number[]) => {
    bytes.set([code, data.length, ...data], at)
    at += 2 + data.length
  }
  const word = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
  option(MESSAGE_TYPE, message.type)
  option(CLIENT_IDENTIFIER, ETHERNET, ...bytes.subarray(28, 34))
  if (message.requested !== undefined) option(REQUESTED_ADDRESS, ...word(message.requested))
  if (message.server !== undefined) option(SERVER_IDENTIFIER, ...word(message.server))
  if (message.type === DISCOVER || message.type === REQUEST) {
    option(MAXIMUM_SIZE, MOST >>> 8, MOST & 255)
    // RFC 3442: whoever asks for classless routes asks for them before the routers.
    option(
      PARAMETERS,
      ...[SUBNET_MASK, CLASSLESS_ROUTES, ROUTER, DNS_SERVERS, DOMAIN_NAME, DOMAIN_SEARCH, INTERFACE_MTU, NTP_SERVERS],
      ...[LEASE_TIME, RENEWAL_TIME, REBINDING_TIME],
    )
    if (message.hostName !== undefined) option(HOST_NAME, ...new TextEncoder().encode(message.hostName).subarray(0, 63))
  }
  if (message.message !== undefined) option(MESSAGE, ...new TextEncoder().encode(message.message).subarray(0, 100))
  bytes[at++] = END
  return bytes.slice(0, Math.max(at, LEAST))
}

/** Reads a server's message; undefined for what is none, or malformed. */
export function decodeMessage(bytes: Uint8Array): ServerMessage | undefined {
  if (bytes.length < OPTIONS_AT) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== BOOT_REPLY || bytes[1] !== ETHERNET || bytes[2] !== 6 || view.getUint32(COOKIE_AT) !== COOKIE) {
    return undefined
  }
  const options = new Map<number, Uint8Array>()
  if (!readOptions(bytes.subarray(OPTIONS_AT), options)) return undefined
  // Section 4.1: options may go on in the file and server name fields, in this order.
  const overload = options.get(OVERLOAD)?.[0] ?? 0
  if ((overload & 1) !== 0 && !readOptions(bytes.subarray(FILE, COOKIE_AT), options)) return undefined
  if ((overload & 2) !== 0 && !readOptions(bytes.subarray(SERVER_NAME, FILE), options)) return undefined
  const type = options.get(MESSAGE_TYPE)
  if (type?.length !== 1) return undefined
  return {
    type: type[0],
    transaction: view.getUint32(4),
    address: view.getInt32(16),
    mac: { high: view.getInt32(28), low: view.getUint16(32) },
    options,
  }
}

/** Adds the options of one field; false when one runs over its end. */
function readOptions(field: Uint8Array, into: Map<number, Uint8Array>): boolean {
  for (let at = 0; at < field.length && field[at] !== END; ) {
    const code = field[at]
    if (code === PAD) {
      at++
      continue
    }
    const end = at + 2 + field[at + 1]
    if (!(end <= field.length)) return false
    const data = field.slice(at + 2, end)
    const before = into.get(code)
    into.set(code, before === undefined ? data : Uint8Array.from([...before, ...data]))
    at = end
  }
  return true
}
