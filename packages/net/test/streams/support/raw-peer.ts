import { parseIpv4 } from '@parakernel/queue'
import { emitOptions, optionsLength, parseOptions } from '../../../src/tcp/options.ts'
import { ACK, describeSegment, Segment, SYN } from '../../../src/tcp/segment.ts'
import * as tcp from '../../../src/tcp/wire.ts'
import {
  CLIENT_MAC,
  ethernetFrame,
  type FrameFields,
  ipv4Packet,
  SERVER_MAC,
  slowChecksum,
} from '../../support/frames.ts'
import { type Bench, readIpv4, type Seen } from '../../support/wire.ts'

export interface TcpFields extends FrameFields, Partial<Omit<Segment, 'sackLeft' | 'sackRight'>> {
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload?: Uint8Array
  /** Options as bytes, instead of those of the segment's fields; a multiple of four. */
  readonly rawOptions?: Uint8Array
  /** Instead of the right ones. */
  readonly dataOffset?: number
  readonly tcpChecksum?: number
}

const CLIENT = '10.0.0.2'
const SERVER = '10.0.0.1'

/** A TCP segment as it goes over the wire, from 10.0.0.2 to 10.0.0.1 unless the fields say otherwise. */
export function tcpBytes(fields: TcpFields): Uint8Array {
  const { sourcePort = 4000, destinationPort = 80, payload = new Uint8Array(0), rawOptions, ...rest } = fields
  const segment = Object.assign(new Segment(), { window: 65_535 }, rest)
  const options = rawOptions?.length ?? optionsLength(segment)
  const header = tcp.HEADER_LENGTH + options
  const bytes = new Uint8Array(header + payload.length)
  const view = new DataView(bytes.buffer)
  tcp.emitHeader(view, 0, segment, sourcePort, destinationPort, header)
  if (rawOptions === undefined) emitOptions(view, tcp.HEADER_LENGTH, segment)
  else bytes.set(rawOptions, tcp.HEADER_LENGTH)
  bytes.set(payload, header)
  if (fields.dataOffset !== undefined) view.setUint8(12, fields.dataOffset << 4)
  tcp.setChecksum(view, 0, fields.tcpChecksum ?? checksumOf(bytes, fields))
  return bytes
}

export function tcpFrame(fields: TcpFields): Uint8Array {
  return ethernetFrame(ipv4Packet(tcpBytes(fields), { ...fields, protocol: 6 }), fields)
}

/** The checksum of a segment whose checksum field is zero, or zero for one that has the right one. */
export function checksumOf(bytes: Uint8Array, { source = CLIENT, destination = SERVER }: FrameFields): number {
  const pseudo = new Uint8Array(12)
  const view = new DataView(pseudo.buffer)
  view.setInt32(0, parseIpv4(source))
  view.setInt32(4, parseIpv4(destination))
  view.setUint16(8, 6)
  view.setUint16(10, bytes.length)
  return slowChecksum(Uint8Array.of(...pseudo, ...bytes))
}

/** A segment that the stack sent. */
export interface SeenSegment {
  readonly segment: Segment
  readonly sourcePort: number
  readonly destinationPort: number
  readonly payload: Uint8Array
  readonly checksumRight: boolean
  readonly text: string
}

/** The TCP segments among frames. */
export function segmentsOf(frames: readonly Seen[]): SeenSegment[] {
  return frames.flatMap(({ type, payload: packet }) => {
    if (type !== 0x0800) return []
    const { protocol, payload: bytes, source, destination } = readIpv4(packet)
    if (protocol !== 6) return []
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const segment = new Segment()
    tcp.parseHeader(view, 0, segment)
    const header = tcp.headerLength(view, 0)
    if (parseOptions(view, tcp.HEADER_LENGTH, header, segment) < 0) throw new Error('the stack sent malformed options')
    segment.length = bytes.length - header
    return {
      segment,
      sourcePort: tcp.sourcePort(view, 0),
      destinationPort: tcp.destinationPort(view, 0),
      payload: bytes.slice(header),
      checksumRight: checksumOf(bytes, { source, destination }) === 0,
      text: describeSegment(segment),
    }
  })
}

/** A peer without a stack, which says what the test says, from one port of 10.0.0.2. */
export class RawPeer {
  readonly bench: Bench
  readonly port: number
  readonly serverPort: number
  /** Our next sequence number, and what we have of the other side. */
  next = 1000
  received = 0

  constructor(bench: Bench, port = 4000, serverPort = 80) {
    this.bench = bench
    this.port = port
    this.serverPort = serverPort
  }

  /** Sends a segment without moving on, and returns what the stack answers within a millisecond. */
  exchange(fields: TcpFields, duration?: number): SeenSegment[] {
    return segmentsOf(this.bench.wire.exchange(this.#frame(fields), duration))
  }

  send(fields: TcpFields): void {
    this.bench.wire.send(this.#frame(fields))
  }

  /** Opens the connection; the options are the SYN's. */
  open(options: TcpFields = { mss: 1460 }): SeenSegment {
    const [answer] = this.exchange({ sequence: this.next, flags: SYN, ...options })
    if (answer === undefined) throw new Error('no answer to a SYN')
    this.next = (this.next + 1) | 0
    this.received = (answer.segment.sequence + 1) | 0
    this.exchange({ flags: ACK })
    return answer
  }

  /** Sends bytes in order. */
  say(payload: Uint8Array): SeenSegment[] {
    const answers = this.exchange({ flags: ACK, payload })
    this.next = (this.next + payload.length) | 0
    return answers
  }

  #frame(fields: TcpFields): Uint8Array {
    const { port: sourcePort, serverPort: destinationPort, next: sequence, received: acknowledgment } = this
    return tcpFrame({
      sourcePort,
      destinationPort,
      sequence,
      acknowledgment,
      to: SERVER_MAC,
      from: CLIENT_MAC,
      ...fields,
    })
  }
}
