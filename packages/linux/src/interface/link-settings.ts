import { isIPv6 } from 'node:net'
import { ParakernelError } from '@parakernel/hal'
import { EEXIST, systemError } from '../errno.ts'
import { AF_INET, AF_INET6 } from '../socket-constants.ts'
import { parseAddress } from './address.ts'
import { netlinkRequest } from './netlink.ts'

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const RTM_NEWLINK = 16
const RTM_NEWADDR = 20
const NLM_F_CREATE = 0x400
const NLM_F_EXCL = 0x200
const IFLA_ADDRESS = 1
const IFLA_MTU = 4
const IFLA_TXQLEN = 13
const IFLA_AF_SPEC = 26
const IFLA_GSO_MAX_SIZE = 41
const IFLA_GSO_IPV4_MAX_SIZE = 63
const IFLA_INET6_ADDR_GEN_MODE = 8
const IN6_ADDR_GEN_MODE_NONE = 1
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_F_NODAD = 0x02
const IFF_UP = 1
const NLA_F_NESTED = 0x8000

export interface LinkSettings {
  readonly up?: boolean
  readonly mtu?: number
  readonly mac?: Uint8Array
  /** Packets that wait in the interface's queue; of a TAP, in the ring of each of its queues. */
  readonly transmitQueueLength?: number
  /** Longest super-frame that the kernel hands to the interface, in bytes. */
  readonly maxSegmentedSize?: number
  /** No link-local address and no router solicitations: false leaves the kernel silent on the interface. */
  readonly ipv6AutoAddress?: boolean
}

/** Changes an interface of this thread's network namespace. Throws EPERM without CAP_NET_ADMIN, EINVAL, ENODEV. */
export function setLink(index: number, settings: LinkSettings, subject = `interface ${index}`): void {
  const attributes: Uint8Array[] = []
  const { up, mtu, mac, transmitQueueLength, maxSegmentedSize, ipv6AutoAddress } = settings
  if (mtu !== undefined) attributes.push(attribute(IFLA_MTU, word(mtu)))
  if (mac !== undefined) attributes.push(attribute(IFLA_ADDRESS, mac))
  if (transmitQueueLength !== undefined) attributes.push(attribute(IFLA_TXQLEN, word(transmitQueueLength)))
  if (maxSegmentedSize !== undefined) {
    attributes.push(attribute(IFLA_GSO_MAX_SIZE, word(maxSegmentedSize)))
    attributes.push(attribute(IFLA_GSO_IPV4_MAX_SIZE, word(maxSegmentedSize)))
  }
  if (ipv6AutoAddress === false) {
    // In a message of its own: in one with `up` the interface is up, and has its address, before the mode is looked at.
    const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE))
    change(
      index,
      [attribute(IFLA_AF_SPEC | NLA_F_NESTED, attribute(AF_INET6 | NLA_F_NESTED, mode))],
      undefined,
      subject,
    )
  }
  if (attributes.length > 0 || up !== undefined) change(index, attributes, up, subject)
}

function change(index: number, attributes: readonly Uint8Array[], up: boolean | undefined, subject: string): void {
  const header = new DataView(new ArrayBuffer(16))
  header.setInt32(4, index, true)
  if (up !== undefined) {
    header.setUint32(8, up ? IFF_UP : 0, true)
    header.setUint32(12, IFF_UP, true)
  }
  const errno = netlinkRequest(RTM_NEWLINK, 0, join([new Uint8Array(header.buffer), ...attributes]), subject)
  if (errno !== 0) throw systemError(errno, { call: 'netlink RTM_NEWLINK', subject })
}

/**
 * Gives an interface of this thread's network namespace an address of the kernel's own, as `10.0.0.2/24`. One that it has
 * already stays. Throws EINVAL for what is no address, EPERM.
 */
export function addLinkAddress(index: number, address: string, subject = `interface ${index}`): void {
  const [host, prefix] = address.split('/')
  const bytes = parseAddress(host)
  const length = Number(prefix ?? '')
  if (bytes === undefined || prefix === undefined || !(length >= 0 && length <= bytes.length * 8)) {
    throw new ParakernelError('EINVAL', `${JSON.stringify(address)} is not an address with its prefix length`, {
      subject,
      remedy: 'Write it as 10.0.0.2/24 or fd00::2/64',
    })
  }
  const v6 = isIPv6(host)
  const header = new DataView(new ArrayBuffer(8))
  header.setUint8(0, v6 ? AF_INET6 : AF_INET)
  header.setUint8(1, length)
  header.setUint8(2, v6 ? IFA_F_NODAD : 0)
  header.setInt32(4, index, true)
  const body = join([new Uint8Array(header.buffer), attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)])
  const errno = netlinkRequest(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body, subject)
  if (errno !== 0 && errno !== EEXIST) throw systemError(errno, { call: 'netlink RTM_NEWADDR', subject })
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + value.length + 3) & ~3)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 4 + value.length, true)
  view.setUint16(2, type, true)
  bytes.set(value, 4)
  return bytes
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}
