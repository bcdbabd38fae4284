import type { NetLibOS } from '@parakernel/net'
import type { SocketOption, SocketOptions } from '@parakernel/queue'
import type { Descriptor } from './descriptor.ts'
import * as linux from './linux-names.ts'
import type { Answer } from './messages.ts'
import { encodeTcpInfo } from './tcp-info.ts'

/** How a Linux option of one int is one of ours. Times of Linux's are in seconds or milliseconds. */
interface Mapping {
  readonly option: SocketOption
  readonly toOurs: (value: number) => SocketOptions[SocketOption]
  readonly toLinux: (value: SocketOptions[SocketOption]) => number
}

const flag = (option: SocketOption): Mapping => ({ option, toOurs: (value) => value !== 0, toLinux: Number })
const amount = (option: SocketOption, scale = 1): Mapping => ({
  option,
  toOurs: (value) => value * scale,
  toLinux: (value) => Number(value) / scale,
})
/** Linux doubles what it is told of a buffer, and counts its own overhead in it: the half is payload. */
const buffer = (option: SocketOption): Mapping => ({
  option,
  toOurs: (value) => value,
  toLinux: (value) => Number(value) * 2,
})

const MAPPINGS: Readonly<Record<string, Mapping>> = {
  [`${linux.SOL_SOCKET}:${linux.SO_KEEPALIVE}`]: flag('keepAlive'),
  [`${linux.SOL_SOCKET}:${linux.SO_SNDBUF}`]: buffer('sendBuffer'),
  [`${linux.SOL_SOCKET}:${linux.SO_RCVBUF}`]: buffer('receiveBuffer'),
  [`${linux.IPPROTO_TCP}:${linux.TCP_NODELAY}`]: flag('noDelay'),
  [`${linux.IPPROTO_TCP}:${linux.TCP_MAXSEG}`]: amount('maximumSegment'),
  [`${linux.IPPROTO_TCP}:${linux.TCP_KEEPIDLE}`]: amount('keepAliveIdle', 1000),
  [`${linux.IPPROTO_TCP}:${linux.TCP_KEEPINTVL}`]: amount('keepAliveInterval', 1000),
  [`${linux.IPPROTO_TCP}:${linux.TCP_KEEPCNT}`]: amount('keepAliveProbes'),
  [`${linux.IPPROTO_TCP}:${linux.TCP_USER_TIMEOUT}`]: amount('userTimeout'),
  [`${linux.IPPROTO_TCP}:${linux.TCP_NOTSENT_LOWAT}`]: amount('notSentLowWater'),
}

/** @throws what the libOS throws for the value */
export function setOption(libos: NetLibOS, { qd }: Descriptor, level: number, name: number, value: Uint8Array): Answer {
  const ints = new Int32Array(value.slice(0, value.length & ~3).buffer)
  if (level === linux.SOL_SOCKET && name === linux.SO_LINGER) {
    libos.setsockopt(qd, 'linger', ints[0] === 0 ? -1 : ints[1] * 1000)
    return { result: 0 }
  }
  if (level === linux.IPPROTO_TCP && name === linux.TCP_CONGESTION) {
    const text = new TextDecoder().decode(value).replace(/\0.*$/s, '')
    libos.setsockopt(qd, 'congestionControl', text === 'reno' ? 'newreno' : (text as 'cubic'))
    return { result: 0 }
  }
  // We never refuse a port for a connection in TIME-WAIT, which is what this asks for.
  if (level === linux.SOL_SOCKET && name === linux.SO_REUSEADDR) return { result: 0 }
  const mapping = MAPPINGS[`${level}:${name}`]
  if (mapping === undefined) return { result: -1, errno: linux.errnoOf('ENOPROTOOPT') }
  libos.setsockopt(qd, mapping.option, mapping.toOurs(ints[0]))
  return { result: 0 }
}

export function getOption(libos: NetLibOS, descriptor: Descriptor, level: number, name: number): Answer {
  const int = (value: number): Answer => ({ result: 0, data: new Uint8Array(Int32Array.of(value).buffer) })
  if (level === linux.SOL_SOCKET && name === linux.SO_ERROR) return int(takeError(libos, descriptor))
  if (level === linux.IPPROTO_TCP && name === linux.TCP_INFO) {
    const info = libos.sockets().find(({ qd }) => qd === descriptor.qd)
    return info === undefined
      ? { result: -1, errno: linux.errnoOf('ENOTCONN') }
      : { result: 0, data: encodeTcpInfo(info, libos.getsockopt(descriptor.qd, 'maximumSegment')) }
  }
  // The checks of scripts ask for these with TCP_INFO; Linux too has no details of most algorithms.
  if (level === linux.IPPROTO_TCP && name === linux.TCP_CC_INFO) return { result: 0 }
  if (level === linux.SOL_SOCKET && name === linux.SO_MEMINFO) return { result: 0, data: new Uint8Array(9 * 4) }
  if (level === linux.IPPROTO_TCP && name === linux.TCP_MAXSEG) {
    // Of a connection: the segments that it sends.
    const mss = libos.sockets().find(({ qd }) => qd === descriptor.qd)?.details['mss']
    if (mss !== undefined) return int(Number(mss))
  }
  const mapping = MAPPINGS[`${level}:${name}`]
  if (mapping === undefined) return { result: -1, errno: linux.errnoOf('ENOPROTOOPT') }
  return int(mapping.toLinux(libos.getsockopt(descriptor.qd, mapping.option)))
}

function takeError({ runtime }: NetLibOS, descriptor: Descriptor): number {
  const { connecting } = descriptor
  if (connecting !== undefined && !runtime.isPending(connecting)) {
    const completion = runtime.wait(connecting, 0)
    descriptor.connecting = undefined
    if (completion.kind === 'failed') descriptor.error = completion.code
  }
  const { error } = descriptor
  descriptor.error = undefined
  return error === undefined ? 0 : linux.errnoOf(error)
}
