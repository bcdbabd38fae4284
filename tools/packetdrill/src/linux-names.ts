/** Numbers of Linux's socket interface on x86-64, as packetdrill passes them on. */
import { constants } from 'node:os'

export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const O_NONBLOCK = 0o4000
export const F_GETFL = 3
export const F_SETFL = 4
export const MSG_DONTWAIT = 0x40
export const SHUT_RD = 0
export const SHUT_WR = 1
export const SIOCINQ = 0x541b
export const SIOCOUTQ = 0x5411
export const POLLIN = 1
export const POLLOUT = 4
export const POLLHUP = 16

export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_ERROR = 4
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
export const SO_LINGER = 13
export const SO_MEMINFO = 55

export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_MAXSEG = 2
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const TCP_KEEPCNT = 6
export const TCP_INFO = 11
export const TCP_CONGESTION = 13
export const TCP_USER_TIMEOUT = 18
export const TCP_NOTSENT_LOWAT = 25
export const TCP_CC_INFO = 26

const numbers = constants.errno as unknown as Record<string, number>

/** The number of an errno name; EIO's for one that Linux does not have. */
export function errnoOf(code: string): number {
  return numbers[code] ?? numbers['EIO']
}
