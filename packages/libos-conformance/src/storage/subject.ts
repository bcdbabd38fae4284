import type { FramePool } from '@parakernel/hal'
import {
  type Completion,
  FILE_COUNTERS,
  type FileCounter,
  type OpenOptions,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  type StorageLibOS,
  sgaFromBytes,
} from '@parakernel/queue'
import { expect } from 'vitest'
import { bytesOf, checkPool, expectPattern } from '../bytes.ts'
import type { ReopenOptions, StorageLibosFixture } from './fixture.ts'

type Kind<K extends Completion['kind']> = Extract<Completion, { kind: K }>

/** Bytes a push or pop in `write` and `read`: a few frames. */
const PIECE = 16_384

/** What `toThrow` and `toMatchObject` are given for an error of a code. */
export const code = (value: string) => expect.objectContaining({ code: value })

/** The libOS under test, with what every case needs to say briefly. */
export class Subject {
  readonly fixture: StorageLibosFixture
  libos: StorageLibOS
  readonly runtime: QueueRuntime
  readonly pool: FramePool

  constructor(fixture: StorageLibosFixture) {
    this.fixture = fixture
    this.libos = fixture.libos
    this.runtime = fixture.libos.runtime
    this.pool = fixture.libos.pool
  }

  /** A new file for reading and writing. */
  create(path = '/file', options: OpenOptions = {}): QueueDescriptor {
    return this.libos.open(path, { write: true, create: true, exclusive: true, ...options })
  }

  /** Pushes a copy of `content` and frees it at once: a push keeps references of its own. */
  push(qd: QueueDescriptor, content: Uint8Array | string): QueueToken {
    const sga = sgaFromBytes(this.pool, bytesOf(content))
    try {
      return this.libos.push(qd, sga)
    } finally {
      sga.free()
    }
  }

  pushAt(qd: QueueDescriptor, content: Uint8Array | string, position: number): QueueToken {
    const sga = sgaFromBytes(this.pool, bytesOf(content))
    try {
      return this.libos.pushAt(qd, sga, position)
    } finally {
      sga.free()
    }
  }

  /** Awaits a completion that must be of `kind`. */
  async done<K extends Completion['kind']>(token: QueueToken, kind: K): Promise<Kind<K>> {
    const completion = await this.runtime.completion(token)
    expect(completion, `expected ${kind}`).toMatchObject({ kind, token })
    return completion as Kind<K>
  }

  async fails(token: QueueToken, code: string): Promise<void> {
    expect(await this.runtime.completion(token)).toMatchObject({ kind: 'failed', token, code })
  }

  /** Pushes at the cursor, in pieces. */
  async write(qd: QueueDescriptor, content: Uint8Array | string): Promise<void> {
    const bytes = bytesOf(content)
    for (let at = 0; at < bytes.byteLength; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE)
      expect((await this.done(this.push(qd, piece), 'push')).bytes).toBe(piece.byteLength)
    }
  }

  async writeAt(qd: QueueDescriptor, content: Uint8Array | string, position: number): Promise<void> {
    const bytes = bytesOf(content)
    for (let at = 0; at < bytes.byteLength; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE)
      expect((await this.done(this.pushAt(qd, piece, position + at), 'push')).bytes).toBe(piece.byteLength)
    }
  }

  /** The bytes of a pop, which are freed. */
  async popped(token: QueueToken): Promise<Uint8Array> {
    const { sga } = await this.done(token, 'pop')
    const bytes = sga.toBytes()
    sga.free()
    return bytes
  }

  async poppedText(token: QueueToken): Promise<string> {
    return new TextDecoder().decode(await this.popped(token))
  }

  /** `length` bytes from `position`, or what there is of them. */
  async read(qd: QueueDescriptor, position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let at = 0
    while (at < length) {
      const piece = await this.popped(this.libos.popAt(qd, position + at, Math.min(PIECE, length - at)))
      if (piece.byteLength === 0) break
      bytes.set(piece, at)
      at += piece.byteLength
    }
    return bytes.subarray(0, at)
  }

  /** The whole file. */
  async content(qd: QueueDescriptor): Promise<Uint8Array> {
    return this.read(qd, 0, this.libos.status(qd).size)
  }

  async text(qd: QueueDescriptor): Promise<string> {
    return new TextDecoder().decode(await this.content(qd))
  }

  /** The file at a path, as text. */
  async textAt(path: string): Promise<string> {
    const qd = this.libos.open(path)
    const text = await this.text(qd)
    this.libos.close(qd)
    return text
  }

  /** Makes a file with a content. */
  async file(path: string, content: Uint8Array | string): Promise<void> {
    const qd = this.create(path)
    await this.write(qd, content)
    this.libos.close(qd)
  }

  async expectPattern(qd: QueueDescriptor, seed: number, position: number, length: number): Promise<void> {
    const bytes = await this.read(qd, position, length)
    expect(bytes.byteLength).toBe(length)
    expectPattern(bytes, seed, position)
  }

  async sync(qd: QueueDescriptor, what?: 'data' | 'all'): Promise<void> {
    expect((await this.done(this.libos.sync(qd, what), 'push')).bytes).toBe(0)
  }

  counters(): Record<FileCounter, number> {
    const { file } = this.libos.statistics()
    expect(Object.keys(file ?? {})).toEqual(expect.arrayContaining([...FILE_COUNTERS]))
    return { ...file } as Record<FileCounter, number>
  }

  /** Shuts the libOS down, and goes on with a new one over the same media. */
  async reopen(options?: ReopenOptions): Promise<void> {
    await this.libos.shutdown()
    this.libos = await this.fixture.reopen(options)
  }

  async powerCut(): Promise<void> {
    if (this.fixture.powerCut === undefined) throw new Error('the fixture has no powerCut')
    this.libos = await this.fixture.powerCut()
  }

  /** Shuts all down; every frame must be back and none misused. */
  async finish(): Promise<void> {
    await this.libos.shutdown()
    await this.fixture.network?.libos.shutdown()
    await this.fixture.close()
    checkPool(this.libos.name, this.pool)
  }
}
