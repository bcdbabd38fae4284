import { EADDRNOTAVAIL, EBADF, ENODEV, ENXIO, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { AF_PACKET, SOCK_CLOEXEC, SOCK_RAW, SOL_PACKET } from '../socket-constants.ts'

// linux/if_packet.h
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_DROP_MEMBERSHIP = 2
const PACKET_MR_MULTICAST = 0
const PACKET_MR_PROMISC = 1
const PACKET_MR_ALLMULTI = 2

/** What an interface lets in besides its own address and broadcast: a group's six bytes, all groups, or everything. */
export type Membership = Uint8Array | 'all-multicast' | 'promiscuous'

/**
 * Opens a packet socket that receives nothing: it only holds memberships, which end with it. The caller closes it.
 * Throws EPERM without CAP_NET_RAW.
 */
export function openMembershipSocket(subject: string): number {
  const descriptor = calls().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  if (descriptor < 0) throw systemError(foreign().errno(), { call: 'socket(AF_PACKET)', subject })
  return descriptor
}

/** Counted: what was added twice has to be dropped twice. */
export function addMembership(socket: number, interfaceIndex: number, membership: Membership): void {
  change(socket, PACKET_ADD_MEMBERSHIP, interfaceIndex, membership)
}

/** What is not there any more, with its socket even, is dropped already. */
export function dropMembership(socket: number, interfaceIndex: number, membership: Membership): void {
  change(socket, PACKET_DROP_MEMBERSHIP, interfaceIndex, membership)
}

/** An interface that is gone has no memberships either, so there is nothing to report then. */
function change(socket: number, option: number, interfaceIndex: number, membership: Membership): void {
  const request = encodeMembership(interfaceIndex, membership)
  if (calls().setsockopt(socket, SOL_PACKET, option, request, request.length) === 0) return
  const errno = foreign().errno()
  if (errno === ENODEV || errno === ENXIO || errno === EADDRNOTAVAIL) return
  if (option === PACKET_DROP_MEMBERSHIP && errno === EBADF) return
  const call =
    option === PACKET_ADD_MEMBERSHIP ? 'setsockopt(PACKET_ADD_MEMBERSHIP)' : 'setsockopt(PACKET_DROP_MEMBERSHIP)'
  throw systemError(errno, { call, subject: `interface ${interfaceIndex}` })
}

/** `struct packet_mreq`: index i32, type u16, address length u16, address. */
function encodeMembership(interfaceIndex: number, membership: Membership): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setInt32(0, interfaceIndex, true)
  const bytes = new Uint8Array(view.buffer)
  if (membership === 'promiscuous') view.setUint16(4, PACKET_MR_PROMISC, true)
  else if (membership === 'all-multicast') view.setUint16(4, PACKET_MR_ALLMULTI, true)
  else {
    view.setUint16(4, PACKET_MR_MULTICAST, true)
    view.setUint16(6, membership.length, true)
    bytes.set(membership, 8)
  }
  return bytes
}
