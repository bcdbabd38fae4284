import {
  type Completion,
  type NetworkLibOS,
  type QueueDescriptor,
  type QueueToken,
  type SocketAddress,
  sgaFromBytes,
} from '@parakernel/queue'
import { expect } from 'vitest'
import { bytesOf, checkPool, expectPattern } from '../bytes.ts'
import type { NetworkLibosConformance, NetworkLibosFixture } from './fixture.ts'

export { bytesOf, expectPattern, pattern } from '../bytes.ts'

export type Family = 'ipv4' | 'ipv6'

/** A socket and its own address. */
export interface Bound {
  readonly qd: QueueDescriptor
  readonly at: SocketAddress
}

export interface ListenOptions {
  readonly family?: Family
  readonly address?: string
  readonly backlog?: number
}

export interface ConnectedOptions {
  readonly family?: Family
  /** Of `b`; a new one by default. */
  readonly listener?: Bound
  /** Called with the client's socket before it connects. */
  readonly prepare?: (client: QueueDescriptor) => void
}

/** Both ends of a connection: `client` is a socket of `a`, the others are `b`'s. */
export interface Connection {
  readonly client: QueueDescriptor
  readonly server: QueueDescriptor
  readonly listener: Bound
  /** The client, as `accept` told. */
  readonly peer: SocketAddress
}

/** Bytes a push in `write`: small beside the pools that the suite asks for. */
const PIECE = 16_384

type Kind<K extends Completion['kind']> = Extract<Completion, { kind: K }>

/** A pair under test, with what every test needs to say briefly. */
export class Pair {
  readonly suite: NetworkLibosConformance
  readonly fixture: NetworkLibosFixture
  readonly a: NetworkLibOS
  readonly b: NetworkLibOS

  constructor(suite: NetworkLibosConformance, fixture: NetworkLibosFixture) {
    this.suite = suite
    this.fixture = fixture
    this.a = fixture.a
    this.b = fixture.b
  }

  addressOf(libos: NetworkLibOS, family: Family = 'ipv4'): string {
    const { addressOfA, addressOfB, ipv6AddressOfA = '', ipv6AddressOfB = '' } = this.fixture
    if (family === 'ipv6') return libos === this.a ? ipv6AddressOfA : ipv6AddressOfB
    return libos === this.a ? addressOfA : addressOfB
  }

  /** A datagram socket at an ephemeral port of the libOS's own address. */
  open(libos: NetworkLibOS, family: Family = 'ipv4'): Bound {
    const qd = libos.socket('datagram', family)
    libos.bind(qd, { address: this.addressOf(libos, family), port: 0 })
    return { qd, at: libos.getsockname(qd) }
  }

  /** Pushes a copy of `content` and frees it at once; a push keeps references of its own. */
  pushTo(libos: NetworkLibOS, qd: QueueDescriptor, content: Uint8Array | string, peer: SocketAddress): QueueToken {
    const sga = sgaFromBytes(libos.pool, bytesOf(content))
    const token = libos.pushTo(qd, sga, peer)
    sga.free()
    return token
  }

  push(libos: NetworkLibOS, qd: QueueDescriptor, content: Uint8Array | string): QueueToken {
    const sga = sgaFromBytes(libos.pool, bytesOf(content))
    const token = libos.push(qd, sga)
    sga.free()
    return token
  }

  async connect(libos: NetworkLibOS, qd: QueueDescriptor, peer: SocketAddress): Promise<void> {
    await this.done(libos, libos.connect(qd, peer), 'connect')
  }

  /** Awaits a completion that must be of `kind`. */
  async done<K extends Completion['kind']>(libos: NetworkLibOS, token: QueueToken, kind: K): Promise<Kind<K>> {
    const completion = await libos.runtime.completion(token)
    expect(completion, `expected ${kind}`).toMatchObject({ kind, token })
    return completion as Kind<K>
  }

  async fails(libos: NetworkLibOS, token: QueueToken, code: string): Promise<void> {
    expect(await libos.runtime.completion(token)).toMatchObject({ kind: 'failed', token, code })
  }

  /** Sends and awaits the push. */
  async send(
    libos: NetworkLibOS,
    qd: QueueDescriptor,
    content: Uint8Array | string,
    peer: SocketAddress,
  ): Promise<void> {
    const { bytes } = await this.done(libos, this.pushTo(libos, qd, content, peer), 'push')
    expect(bytes).toBe(bytesOf(content).byteLength)
  }

  /** Awaits a pop, takes its bytes and frees it. */
  async receive(
    libos: NetworkLibOS,
    qd: QueueDescriptor,
    token = libos.pop(qd),
  ): Promise<{ bytes: Uint8Array; text: string; source: SocketAddress | undefined }> {
    const { sga, source } = await this.done(libos, token, 'pop')
    const bytes = sga.toBytes()
    sga.free()
    return { bytes, text: new TextDecoder().decode(bytes), source }
  }

  /** A stream socket that listens at an ephemeral port of the libOS's own address, or at `address`. */
  listen(libos: NetworkLibOS, { family = 'ipv4', address, backlog }: ListenOptions = {}): Bound {
    const qd = libos.socket('stream', family)
    libos.bind(qd, { address: address ?? this.addressOf(libos, family), port: 0 })
    libos.listen(qd, backlog)
    return { qd, at: libos.getsockname(qd) }
  }

  /** A connection that `a` opened to a listener of `b`, both ends ready. */
  async connected(options: ConnectedOptions = {}): Promise<Connection> {
    const { family = 'ipv4', listener = this.listen(this.b, { family }) } = options
    const client = this.a.socket('stream', family)
    options.prepare?.(client)
    const accept = this.b.accept(listener.qd)
    await this.connect(this.a, client, listener.at)
    const { accepted, peer } = await this.done(this.b, accept, 'accept')
    return { client, server: accepted, listener, peer }
  }

  /** Pushes `content` in pieces, each after the one before it was taken: backpressure is obeyed. */
  async write(libos: NetworkLibOS, qd: QueueDescriptor, content: Uint8Array | string): Promise<void> {
    const bytes = bytesOf(content)
    for (let at = 0; at < bytes.byteLength; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE)
      expect((await this.done(libos, this.push(libos, qd, piece), 'push')).bytes).toBe(piece.byteLength)
    }
  }

  /** Pops until `length` bytes are together; a pop never gives more than is still wanted. */
  async read(libos: NetworkLibOS, qd: QueueDescriptor, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      const piece = (await this.receive(libos, qd, libos.pop(qd, length - at))).bytes
      expect(piece.byteLength, `the stream ended ${at} bytes in`).toBeGreaterThan(0)
      bytes.set(piece, at)
      at += piece.byteLength
    }
    return bytes
  }

  async readText(libos: NetworkLibOS, qd: QueueDescriptor, length: number): Promise<string> {
    return new TextDecoder().decode(await this.read(libos, qd, length))
  }

  /** Pops to the end of the stream, checks every byte against the pattern of `seed`, and returns the place of the end. */
  async readPattern(libos: NetworkLibOS, qd: QueueDescriptor, seed: number, from = 0): Promise<number> {
    for (let at = from; ; ) {
      const { bytes } = await this.receive(libos, qd)
      if (bytes.byteLength === 0) return at
      expectPattern(bytes, seed, at)
      at += bytes.byteLength
    }
  }

  /** The next pop must be the end of the stream. */
  async ended(libos: NetworkLibOS, qd: QueueDescriptor): Promise<void> {
    const { sga } = await this.done(libos, libos.pop(qd), 'pop')
    expect(sga.segments).toEqual([])
    sga.free()
  }

  /** Settles until `holds` does. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let i = 0; i < 250 && !holds(); i++) await this.fixture.settle()
    expect(holds(), what).toBe(true)
  }

  /** A counter of `statistics()`, which must be there. */
  counter(libos: NetworkLibOS, group: string, name: string): number {
    const value = libos.statistics()[group]?.[name]
    expect(value, `statistics().${group}.${name}`).toBeTypeOf('number')
    return value
  }

  /** Shuts both down; every frame must be back and none misused. */
  async finish(): Promise<void> {
    await this.a.shutdown()
    await this.b.shutdown()
    await this.fixture.close()
    checkPool(this.a.name, this.a.pool)
    checkPool(this.b.name, this.b.pool)
  }
}
