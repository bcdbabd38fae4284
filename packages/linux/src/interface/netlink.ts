import { ParakernelError } from '@parakernel/hal'
import { check, EAGAIN, ENOBUFS, ENODEV, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { AF_NETLINK, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../socket-constants.ts'
import { absentLink, decodeLinkMessages, encodeLinkRequest, type LinkState } from './link-message.ts'

const NETLINK_ROUTE = 0
const RTMGRP_LINK = 1
const NLMSG_HEADER = 16
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
/** The kernel splits no message of one interface over datagrams, and sends none larger than this. */
const DATAGRAM_BYTES = 32_768

/**
 * Asks the kernel for one interface of this thread's network namespace, by name or index.
 * Throws ENODEV when there is none.
 */
export function queryLink(which: string | number): LinkState {
  const subject = typeof which === 'string' ? which : `interface ${which}`
  const descriptor = openNetlink(0, subject)
  try {
    const request = encodeLinkRequest(which, 1)
    check(Number(calls().sendto(descriptor, request, request.length, 0, null, 0)), { call: 'sendto(netlink)', subject })
    const datagram = new Uint8Array(DATAGRAM_BYTES)
    // A reply to a request for one interface is there when sendto returns.
    const length = check(Number(calls().recv(descriptor, datagram, datagram.length, 0)), {
      call: 'recv(netlink)',
      subject,
    })
    for (const message of decodeLinkMessages(datagram.subarray(0, length))) {
      if ('link' in message) return message.link
      if ('errno' in message && message.errno !== 0) throw noSuchLink(message.errno, subject)
    }
    throw new ParakernelError('EPROTO', 'the kernel answered a link request without a link', { subject })
  } finally {
    calls().close(descriptor)
  }
}

/** Sends one routing request with `body` and waits for its acknowledgement. Returns 0 or the errno. */
export function netlinkRequest(type: number, flags: number, body: Uint8Array, subject: string): number {
  const descriptor = openNetlink(0, subject)
  try {
    const request = new Uint8Array(NLMSG_HEADER + body.length)
    const view = new DataView(request.buffer)
    view.setUint32(0, request.length, true)
    view.setUint16(4, type, true)
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true)
    view.setUint32(8, 1, true)
    request.set(body, NLMSG_HEADER)
    check(Number(calls().sendto(descriptor, request, request.length, 0, null, 0)), { call: 'sendto(netlink)', subject })
    const datagram = new Uint8Array(DATAGRAM_BYTES)
    const length = check(Number(calls().recv(descriptor, datagram, datagram.length, 0)), {
      call: 'recv(netlink)',
      subject,
    })
    for (const message of decodeLinkMessages(datagram.subarray(0, length))) if ('errno' in message) return message.errno
    throw new ParakernelError('EPROTO', 'the kernel did not acknowledge a request', { subject })
  } finally {
    calls().close(descriptor)
  }
}

function noSuchLink(errno: number, subject: string): ParakernelError {
  if (errno !== ENODEV) return systemError(errno, { call: 'netlink RTM_GETLINK', subject })
  return new ParakernelError('ENODEV', 'no such network interface', {
    subject,
    remedy: 'List the interfaces of this network namespace with: ip link',
  })
}

/** Watches one interface of the namespace in which it was made. The descriptor becomes readable when there is news. */
export class LinkMonitor {
  readonly descriptor: number
  readonly #index: number
  readonly #datagram = new Uint8Array(DATAGRAM_BYTES)
  #closed = false

  constructor(interfaceIndex: number) {
    this.#index = interfaceIndex
    this.descriptor = openNetlink(RTMGRP_LINK, `link events of interface ${interfaceIndex}`)
  }

  /** The states that were announced since the last call, oldest first; empty when there is no news. Never blocks. */
  drain(): LinkState[] {
    const news: LinkState[] = []
    while (!this.#closed) {
      const length = Number(calls().recv(this.descriptor, this.#datagram, DATAGRAM_BYTES, MSG_DONTWAIT))
      if (length < 0) {
        const errno = foreign().errno()
        if (errno === EAGAIN) break
        const subject = `link events of interface ${this.#index}`
        if (errno !== ENOBUFS) throw systemError(errno, { call: 'recv(netlink)', subject })
        // The socket overflowed and news was lost: the present state makes up for it.
        news.push(this.#present())
        continue
      }
      for (const message of decodeLinkMessages(this.#datagram.subarray(0, length))) {
        if ('link' in message && message.link.index === this.#index) news.push(message.link)
      }
    }
    return news
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    calls().close(this.descriptor)
  }

  #present(): LinkState {
    try {
      return queryLink(this.#index)
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'ENODEV') throw error
      return absentLink(this.#index)
    }
  }
}

function openNetlink(groups: number, subject: string): number {
  const type = SOCK_RAW | SOCK_CLOEXEC | (groups === 0 ? 0 : SOCK_NONBLOCK)
  const descriptor = check(calls().socket(AF_NETLINK, type, NETLINK_ROUTE), { call: 'socket(AF_NETLINK)', subject })
  const address = new DataView(new ArrayBuffer(12))
  address.setUint16(0, AF_NETLINK, true)
  address.setUint32(8, groups, true)
  const bound = calls().bind(descriptor, address, 12)
  if (bound < 0) throw systemErrorClosing(descriptor, { call: 'bind(AF_NETLINK)', subject })
  return descriptor
}
