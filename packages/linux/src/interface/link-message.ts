/** What the kernel tells of a network interface in one RTM_NEWLINK message. */
export interface LinkState {
  readonly index: number
  readonly name: string
  /** False in the last message about an interface: it was removed, or moved to another namespace. */
  readonly present: boolean
  /** IFF_UP: an administrator wants it up. */
  readonly up: boolean
  /** Up, and there is a peer at the other end of the cable. */
  readonly running: boolean
  readonly mtu: number
  /** Six bytes on Ethernet; empty on interfaces without a link-layer address. */
  readonly mac: Uint8Array
  /** Queues that were allocated; `channelCounts` tells how many are in use. */
  readonly rxQueues: number
  readonly txQueues: number
  /** The XDP program, 0 when none, and how it is attached. */
  readonly xdpProgramId: number
  readonly xdpMode: 'none' | 'native' | 'skb' | 'offloaded' | 'several'
  /** Packets that its transmit queue holds. */
  readonly transmitQueueLength: number
  /** Packets that the kernel sent to the interface and had to drop. */
  readonly txDropped: number
  /** What a TUN or TAP interface says of itself; absent for every other. */
  readonly tun?: TunState
}

export interface TunState {
  readonly kind: 'tap' | 'tun'
  /** Stays when nobody has it open. */
  readonly persistent: boolean
  readonly multiQueue: boolean
  readonly virtioHeader: boolean
  /** Packets come bare, without four bytes of packet information. */
  readonly bare: boolean
  /** Queues that somebody has open; the kernel tells it of interfaces for several queues only. */
  readonly queues?: number
}

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h
const NLMSG_ERROR = 2
const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18
const NLM_F_REQUEST = 1
const NLMSG_HEADER = 16
const IFINFO_BYTES = 16
const AF_UNSPEC = 0
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_TXQLEN = 13
const IFLA_NUM_TX_QUEUES = 31
const IFLA_NUM_RX_QUEUES = 32
const IFLA_CARRIER = 33
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_STATS64 = 23
/** `tx_dropped` is the eighth of the u64 counters. */
const STATS64_TX_DROPPED = 7 * 8
const IFLA_TUN_TYPE = 3
const IFLA_TUN_PI = 4
const IFLA_TUN_VNET_HDR = 5
const IFLA_TUN_PERSIST = 6
const IFLA_TUN_MULTI_QUEUE = 7
const IFLA_TUN_NUM_QUEUES = 8
const IFF_TAP = 2
const IFLA_XDP = 43
/** Bytes that the value of an attribute must have to be read. */
const SHORTEST: Readonly<Record<number, number>> = {
  [IFLA_IFNAME]: 1,
  [IFLA_MTU]: 4,
  [IFLA_TXQLEN]: 4,
  [IFLA_NUM_TX_QUEUES]: 4,
  [IFLA_NUM_RX_QUEUES]: 4,
  [IFLA_CARRIER]: 1,
  [IFLA_STATS64]: STATS64_TX_DROPPED + 8,
}
const IFLA_XDP_ATTACHED = 2
const IFLA_XDP_PROG_ID = 4
const NLA_TYPE_MASK = 0x3fff
const IFF_UP = 1
const XDP_MODES = ['none', 'native', 'skb', 'offloaded', 'several'] as const

/** An interface of which nothing is known but that it is gone. */
export function absentLink(index: number): LinkState {
  return {
    index,
    name: '',
    present: false,
    up: false,
    running: false,
    mtu: 0,
    mac: new Uint8Array(0),
    rxQueues: 0,
    txQueues: 0,
    xdpProgramId: 0,
    xdpMode: 'none',
    transmitQueueLength: 0,
    txDropped: 0,
  }
}

/** A request for one interface, by name or by index. */
export function encodeLinkRequest(which: string | number, sequence: number): Uint8Array {
  const name = typeof which === 'string' ? new TextEncoder().encode(`${which}\0`) : new Uint8Array(0)
  const attribute = name.length === 0 ? 0 : align4(4 + name.length)
  const length = NLMSG_HEADER + IFINFO_BYTES + attribute
  const view = new DataView(new ArrayBuffer(length))
  view.setUint32(0, length, true)
  view.setUint16(4, RTM_GETLINK, true)
  view.setUint16(6, NLM_F_REQUEST, true)
  view.setUint32(8, sequence, true)
  if (typeof which === 'number') view.setInt32(NLMSG_HEADER + 4, which, true)
  const bytes = new Uint8Array(view.buffer)
  if (attribute > 0) {
    view.setUint16(32, 4 + name.length, true)
    view.setUint16(34, IFLA_IFNAME, true)
    bytes.set(name, 36)
  }
  return bytes
}

/** One message of a netlink datagram: an interface's state, an error (positive errno; 0 is an acknowledgement), or other. */
export type LinkMessage = { readonly link: LinkState } | { readonly errno: number } | { readonly other: number }

/** Decodes every message of a datagram. */
export function decodeLinkMessages(datagram: Uint8Array): LinkMessage[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const messages: LinkMessage[] = []
  for (let at = 0; at + NLMSG_HEADER <= datagram.length; ) {
    const length = view.getUint32(at, true)
    if (length < NLMSG_HEADER || at + length > datagram.length) break
    const body = length - NLMSG_HEADER
    const type = view.getUint16(at + 4, true)
    if (type === NLMSG_ERROR && body >= 4) messages.push({ errno: -view.getInt32(at + NLMSG_HEADER, true) })
    // A bridge tells of its ports by messages of the same type, under its own family, which say another thing.
    else if (
      (type === RTM_NEWLINK || type === RTM_DELLINK) &&
      body >= IFINFO_BYTES &&
      view.getUint8(at + NLMSG_HEADER) === AF_UNSPEC
    ) {
      messages.push({ link: decodeLink(view, at + NLMSG_HEADER, at + length, type === RTM_NEWLINK) })
    } else messages.push({ other: type })
    at += align4(length)
  }
  return messages
}

function decodeLink(view: DataView, start: number, end: number, present: boolean): LinkState {
  const flags = view.getUint32(start + 8, true)
  const state: { -readonly [K in keyof LinkState]: LinkState[K] } = {
    ...absentLink(view.getInt32(start + 4, true)),
    present,
    up: (flags & IFF_UP) !== 0,
    // Attributes that are left out mean one.
    rxQueues: 1,
    txQueues: 1,
  }
  const bytes = (from: number, to: number) => new Uint8Array(view.buffer, view.byteOffset + from, to - from)
  forEachAttribute(view, start + IFINFO_BYTES, end, (type, from, to) => {
    if (to - from < (SHORTEST[type] ?? 0)) return
    if (type === IFLA_ADDRESS) state.mac = bytes(from, to).slice()
    else if (type === IFLA_IFNAME) state.name = new TextDecoder().decode(bytes(from, to - 1))
    else if (type === IFLA_MTU) state.mtu = view.getUint32(from, true)
    else if (type === IFLA_TXQLEN) state.transmitQueueLength = view.getUint32(from, true)
    else if (type === IFLA_NUM_RX_QUEUES) state.rxQueues = view.getUint32(from, true)
    else if (type === IFLA_NUM_TX_QUEUES) state.txQueues = view.getUint32(from, true)
    else if (type === IFLA_CARRIER) state.running = state.up && view.getUint8(from) === 1
    else if (type === IFLA_STATS64) state.txDropped = Number(view.getBigUint64(from + STATS64_TX_DROPPED, true))
    else if (type === IFLA_LINKINFO) {
      const tun = decodeTun(view, from, to)
      if (tun !== undefined) state.tun = tun
    } else if (type === IFLA_XDP) {
      forEachAttribute(view, from, to, (inner, value, valueEnd) => {
        if (valueEnd - value < (inner === IFLA_XDP_PROG_ID ? 4 : 1)) return
        if (inner === IFLA_XDP_PROG_ID) state.xdpProgramId = view.getUint32(value, true)
        else if (inner === IFLA_XDP_ATTACHED) state.xdpMode = XDP_MODES[view.getUint8(value)] ?? 'several'
      })
    }
  })
  return state
}

function decodeTun(view: DataView, start: number, end: number): TunState | undefined {
  let kind = ''
  const found = new Map<number, number>()
  forEachAttribute(view, start, end, (type, from, to) => {
    const text = () => new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + from, to - from - 1))
    if (type === IFLA_INFO_KIND && to > from) kind = text()
    if (type !== IFLA_INFO_DATA) return
    forEachAttribute(view, from, to, (inner, value, valueEnd) => {
      found.set(inner, valueEnd - value >= 4 ? view.getUint32(value, true) : view.getUint8(value))
    })
  })
  if (kind !== 'tun') return undefined
  const is = (type: number) => found.get(type) === 1
  const queues = found.get(IFLA_TUN_NUM_QUEUES)
  return {
    kind: found.get(IFLA_TUN_TYPE) === IFF_TAP ? 'tap' : 'tun',
    persistent: is(IFLA_TUN_PERSIST),
    multiQueue: is(IFLA_TUN_MULTI_QUEUE),
    virtioHeader: is(IFLA_TUN_VNET_HDR),
    bare: !is(IFLA_TUN_PI),
    ...(queues === undefined ? {} : { queues }),
  }
}

function forEachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  for (let at = start; at + 4 <= end; ) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > end) return
    visit(view.getUint16(at + 2, true) & NLA_TYPE_MASK, at + 4, at + length)
    at += align4(length)
  }
}

const align4 = (length: number) => (length + 3) & ~3
