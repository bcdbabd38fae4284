import { DebugFramePool } from '@parakernel/hal'
import {
  type Completion,
  type NetworkLibOS,
  type QueueDescriptor,
  type QueueToken,
  type SocketAddress,
  sgaFromBytes,
} from '@parakernel/queue'
import { expect } from 'vitest'
import type { NetworkLibosConformance, NetworkLibosFixture } from './fixture.ts'

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

  addressOf(libos: NetworkLibOS): string {
    return libos === this.a ? this.fixture.addressOfA : this.fixture.addressOfB
  }

  /** A datagram socket at an ephemeral port of the libOS's own address. */
  open(libos: NetworkLibOS): { qd: QueueDescriptor; at: SocketAddress } {
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: this.addressOf(libos), port: 0 })
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
    checkPool(this.a)
    checkPool(this.b)
  }
}

export function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed * 101) & 255)
}

function checkPool(libos: NetworkLibOS): void {
  const { pool } = libos
  expect(pool, `${libos.name}: the suite needs a DebugFramePool`).toBeInstanceOf(DebugFramePool)
  expect((pool as DebugFramePool).report(), `${libos.name}: frames that are still out`).toBe('')
  expect(pool.available).toBe(pool.frameCount)
  expect(pool.misuses).toBe(0)
}
