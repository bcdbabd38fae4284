import { DatagramBurst, NO_REPLY, parseIpv4, type QueueDescriptor } from '@parakernel/queue'
import type { TestLibOS, TestNetwork } from './test-network.ts'

/** A host that sends and receives raw datagrams. */
export class Peer {
  readonly received: Uint8Array[] = []
  readonly host: TestLibOS
  readonly #network: TestNetwork
  readonly #qd: QueueDescriptor
  #id = 1

  constructor(network: TestNetwork, address = '10.0.0.7', port = 45_000) {
    this.#network = network
    this.host = network.host(address)
    this.#qd = this.host.socket()
    this.host.bind(this.#qd, { port })
    this.host.serveDatagrams(this.#qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        burst.reply[i] = NO_REPLY
        this.received.push(this.host.pool.bytes.slice(burst.address[i], burst.address[i] + burst.length[i]))
      }
    })
  }

  send(bytes: Uint8Array, port: number, address = '10.0.0.1'): void {
    const frame = this.host.pool.allocate()
    const at = this.host.pool.address(frame) + 304
    this.host.pool.bytes.set(bytes, at)
    const burst = new DatagramBurst(1)
    burst.count = 1
    burst.frame[0] = frame
    burst.address[0] = at
    burst.length[0] = bytes.length
    burst.peerAddress[0] = parseIpv4(address)
    burst.peerPort[0] = port
    this.host.sendDatagrams(this.#qd, burst)
  }

  /** Sends one datagram and returns what came back. */
  exchange(bytes: Uint8Array, port: number): Uint8Array[] {
    this.received.length = 0
    this.send(bytes, port)
    // A request may travel through many partitions; a few rounds more show what should not come.
    for (let i = 0; i < 200 && this.received.length === 0; i++) this.#network.round()
    for (let i = 0; i < 8; i++) this.#network.round()
    return this.received.splice(0)
  }

  /** One text request, with a frame header of its own, and the text of the reply put together from its datagrams. */
  text(request: string | Uint8Array, port: number): string {
    return Buffer.from(this.textBytes(request, port)).toString('latin1')
  }

  textBytes(request: string | Uint8Array, port: number): Uint8Array {
    const id = this.#id++
    const body = typeof request === 'string' ? Buffer.from(request, 'latin1') : request
    return reassemble(
      this.exchange(Buffer.concat([Uint8Array.of(id >> 8, id & 255, 0, 0, 0, 1, 0, 0), body]), port),
      id,
    )
  }
}

/** Written from memcached's protocol.txt alone, and sharing no code with the server. */
function reassemble(datagrams: readonly Uint8Array[], id: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (const datagram of datagrams) {
    const u16 = (at: number) => datagram[at] * 256 + datagram[at + 1]
    if (datagram.length > 1400) throw new Error(`a datagram of ${datagram.length} bytes`)
    if (u16(0) !== id) throw new Error(`request id ${u16(0)}, not ${id}`)
    if (u16(4) !== datagrams.length) throw new Error(`total ${u16(4)}, but ${datagrams.length} datagrams came`)
    if (u16(6) !== 0) throw new Error('reserved bytes are not zero')
    if (parts[u16(2)] !== undefined) throw new Error(`sequence number ${u16(2)} twice`)
    parts[u16(2)] = datagram.subarray(8)
  }
  return Buffer.concat(parts)
}
