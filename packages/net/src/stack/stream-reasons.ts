import type { ErrorCode } from '@parakernel/hal'

/** What failed tokens of stream sockets say. */
export const STREAM_REASONS: Partial<Record<ErrorCode, string>> = {
  EADDRINUSE: 'no local port is free towards this peer',
  EADDRNOTAVAIL: 'there is no usable address of ours to connect from',
  EALREADY: 'the socket is being connected already',
  EBUSY: 'a handler is served: end that by `serveStreams(qd, undefined)`',
  ECANCELED: 'the lease of the device queue has ended',
  ECONNABORTED: 'the connection was given up here',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the peer reset the connection',
  EHOSTUNREACH: 'the host does not answer',
  EINVAL: 'this socket cannot do that, or the address is none of its family',
  EISCONN: 'the socket is connected already',
  EMFILE: 'too many sockets or connections are open',
  ENODEV: 'the device is gone',
  ENETUNREACH: 'no route leads there',
  ENOBUFS: 'too many connections are open: raise `tcpConnections`',
  ENOTCONN: 'the socket is not connected',
  EPIPE: 'our half of the stream has ended',
  ETIMEDOUT: 'the peer did not answer for too long',
}
