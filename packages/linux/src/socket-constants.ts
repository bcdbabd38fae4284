/** Numbers of the socket layer (bits/socket.h, asm-generic/socket.h, linux/if_packet.h). */

export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_PACKET = 17

export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

export const MSG_DONTWAIT = 0x40

export const SOL_SOCKET = 1
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33

export const SOL_PACKET = 263
