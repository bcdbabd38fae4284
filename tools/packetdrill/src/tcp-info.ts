import type { SocketInfo } from '@parakernel/queue'

/** States as Linux numbers them (`TCP_ESTABLISHED` is 1). */
const STATES = [
  ...['', 'established', 'syn-sent', 'syn-received', 'fin-wait-1', 'fin-wait-2', 'time-wait', 'closed', 'close-wait'],
  ...['last-ack', 'listen', 'closing'],
]
/** As much as any version of packetdrill reads; the later fields are zero. */
const LENGTH = 512
/** `TCP_CA_*` of Linux; that of disorder is not told apart here. */
const PHASES: Readonly<Record<string, number>> = { open: 0, reducing: 2, recovery: 3, loss: 4 }
/** That we announce without the option: the variants' MTUs make it the same for both families. */
const USUAL_SEGMENT = 1460
/** What Linux shows as the threshold of a connection that has met no congestion. */
const INFINITE_THRESHOLD = 0x7fff_ffff

/** `struct tcp_info` of linux/tcp.h, as far as the listing of our sockets knows it; the rest is zero. */
export function encodeTcpInfo({ state, details }: SocketInfo, maximumSegment: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH)
  const view = new DataView(bytes.buffer)
  const detail = (name: string) => Number(details[name] ?? 0)
  const mss = Math.max(1, detail('mss'))
  const word = (at: number, value: number) => view.setUint32(at, Math.min(Math.round(value), 0xffff_ffff), true)
  bytes[0] = Math.max(0, STATES.indexOf(state))
  bytes[1] = PHASES[String(details['phase'])] ?? 0
  bytes[2] = detail('backoffs')
  bytes[4] = detail('backoffs')
  word(8, detail('rto') * 1000)
  word(16, mss)
  word(24, detail('inFlight') / mss)
  word(68, detail('rtt') * 1000)
  word(72, detail('rttvar') * 1000)
  const threshold = details['ssthresh'] === undefined ? Number.POSITIVE_INFINITY : detail('ssthresh')
  word(76, threshold > 2 ** 30 ? INFINITE_THRESHOLD : threshold / mss)
  word(80, Math.floor(detail('cwnd') / mss))
  word(84, maximumSegment > 0 ? maximumSegment : USUAL_SEGMENT)
  word(100, detail('retransmissions'))
  return bytes
}
