import {
  type NetworkLibOS,
  type QueueDescriptor,
  type SocketAddress,
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_ENDED,
  STREAM_OPENED,
  STREAM_WRITABLE,
  type StreamBurst,
  type StreamHandler,
} from '@parakernel/queue'
import { PATTERN } from './pattern.ts'

/** Listens at `address`, and hands connections to `handler`. */
export function serve(libos: NetworkLibOS, address: SocketAddress, handler: StreamHandler): QueueDescriptor {
  const qd = libos.socket('stream', address.address.includes(':') ? 'ipv6' : 'ipv4')
  libos.bind(qd, address)
  libos.listen(qd, 1024)
  libos.serveStreams(qd, handler)
  return qd
}

const at = (burst: StreamBurst, i: number) => burst.qd[i] as QueueDescriptor

/** RFC 862: every byte goes back, and the end after the last of them. */
export function serveEcho(libos: NetworkLibOS, address: SocketAddress): QueueDescriptor {
  return serve(libos, address, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
      else if (burst.event[i] === STREAM_ENDED) libos.halfClose(at(burst, i))
    }
  })
}

/** RFC 863: bytes are heard and forgotten. */
export function serveDiscard(libos: NetworkLibOS, address: SocketAddress): QueueDescriptor {
  return serve(libos, address, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_ENDED) libos.halfClose(at(burst, i))
    }
  })
}

/** RFC 864: bytes of the pattern for as long as the peer takes them. Whatever it says is forgotten. */
export function serveChargen(libos: NetworkLibOS, address: SocketAddress): QueueDescriptor {
  const { pool } = libos
  const places = new Map<number, number>()
  const room = pool.frameSize - pool.headroom - pool.window.tailroom
  const send = (qd: QueueDescriptor) => {
    for (let place = places.get(qd) ?? 0; ; place = (place + room) % PATTERN.byteLength) {
      const frame = pool.allocate()
      if (frame < 0) {
        places.set(qd, place)
        // Frames come back as the peers acknowledge; nobody tells when.
        setTimeout(() => places.has(qd) && send(qd), 1)
        return
      }
      const address = pool.address(frame) + pool.headroom
      const first = Math.min(room, PATTERN.byteLength - place)
      pool.bytes.set(PATTERN.subarray(place, place + first), address)
      pool.bytes.set(PATTERN.subarray(0, room - first), address + first)
      if (!libos.sendStream(qd, frame, address, room)) {
        pool.release(frame)
        places.set(qd, place)
        return
      }
    }
  }
  return serve(libos, address, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const qd = at(burst, i)
      if (burst.event[i] === STREAM_OPENED || burst.event[i] === STREAM_WRITABLE) send(qd)
      else if (burst.event[i] === STREAM_ENDED) libos.close(qd)
      if (burst.event[i] === STREAM_ENDED || burst.event[i] === STREAM_CLOSED) places.delete(qd)
    }
  })
}
