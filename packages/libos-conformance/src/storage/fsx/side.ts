import {
  type Completion,
  type QueueDescriptor,
  type QueueToken,
  ScatterGatherArray,
  type StorageLibOS,
  sgaFromBytes,
} from '@parakernel/queue'
import { pattern } from '../../bytes.ts'
import {
  type FsxOperation,
  OPEN_APPEND,
  OPEN_CREATE,
  OPEN_EXCLUSIVE,
  OPEN_FLUSHED,
  OPEN_TRUNCATE,
  OPEN_WRITE,
} from './operations.ts'

/** What became of an operation: text, or the bytes of a pop. */
export type Outcome = string | Uint8Array

/** Control calls answer at once, data calls later. */
export type Applied = Outcome | Promise<Outcome>

/** One of the two libOSes that must agree, and its descriptors. */
export class Side {
  libos: StorageLibOS
  #slots: (QueueDescriptor | undefined)[] = []

  constructor(libos: StorageLibOS) {
    this.libos = libos
  }

  /** Goes on with another instance, without descriptors. */
  restart(libos: StorageLibOS): void {
    this.libos = libos
    this.#slots = []
  }

  apply(operation: FsxOperation): Applied {
    try {
      return this.#apply(operation)
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (typeof code !== 'string') throw error
      // So many changes wait to become durable that no more fit, which is nobody's fault.
      if (code === 'ENOBUFS') return this.#redeem(this.libos.syncVolume()).then(() => this.apply(operation))
      return `throws ${code}`
    }
  }

  #apply(operation: FsxOperation): Applied {
    const { libos } = this
    const { kind, slot, path, to, position, length, seed } = operation
    switch (kind) {
      case 'open':
        return this.#open(operation)
      case 'stat': {
        const { kind: what, size, links } = libos.stat(path)
        return `${what} ${size} ${links}`
      }
      case 'readdir':
        return libos.readdir(path).join(' ')
      case 'mkdir':
        libos.mkdir(path)
        return 'made'
      case 'rmdir':
        libos.rmdir(path)
        return 'removed'
      case 'rename':
        libos.rename(path, to)
        return 'renamed'
      case 'unlink':
        libos.unlink(path)
        return 'unlinked'
      case 'syncVolume':
        return this.#redeem(libos.syncVolume())
    }
    const qd = this.#slots[slot]
    if (qd === undefined) return 'not open'
    switch (kind) {
      case 'close':
        this.#slots[slot] = undefined
        libos.close(qd)
        return 'closed'
      case 'asyncClose':
        this.#slots[slot] = undefined
        return this.#redeem(libos.asyncClose(qd))
      case 'push':
        return this.#redeem(this.#push(pattern(length, seed), (sga) => libos.push(qd, sga)))
      case 'pushAt':
        return this.#redeem(this.#push(pattern(length, seed), (sga) => libos.pushAt(qd, sga, position)))
      case 'pop':
        return this.#redeem(libos.pop(qd, Math.max(1, length)))
      case 'popAt':
        return this.#redeem(libos.popAt(qd, position, Math.max(1, length)))
      case 'seek':
        return `${libos.seek(qd, position)}`
      case 'truncate':
        return this.#redeem(libos.truncate(qd, position))
      case 'punchHole':
        return this.#redeem(libos.punchHole(qd, position, length))
      case 'sync':
        return this.#redeem(libos.sync(qd))
      case 'status': {
        const { size, links } = libos.status(qd)
        return `${size} ${links} ${libos.seek(qd, 0, 'cursor')}`
      }
      default:
        throw new Error(`no operation: ${kind}`)
    }
  }

  #open({ slot, path, seed }: FsxOperation): Outcome {
    const qd = this.libos.open(path, {
      write: (seed & OPEN_WRITE) !== 0,
      create: (seed & OPEN_CREATE) !== 0,
      exclusive: (seed & OPEN_EXCLUSIVE) !== 0,
      truncate: (seed & OPEN_TRUNCATE) !== 0,
      append: (seed & OPEN_APPEND) !== 0,
      durability: (seed & OPEN_FLUSHED) !== 0 ? 'flushed' : 'buffered',
    })
    const before = this.#slots[slot]
    // What is under way of the one that is displaced ends as it would.
    if (before !== undefined) this.libos.runtime.notify(this.libos.asyncClose(before), () => {})
    this.#slots[slot] = qd
    return `opened ${this.libos.status(qd).size}`
  }

  #push(bytes: Uint8Array, push: (sga: ScatterGatherArray) => QueueToken): QueueToken {
    const sga =
      bytes.byteLength === 0 ? new ScatterGatherArray(this.libos.pool, []) : sgaFromBytes(this.libos.pool, bytes)
    try {
      return push(sga)
    } finally {
      sga.free()
    }
  }

  async #redeem(token: QueueToken): Promise<Outcome> {
    return outcomeOf(await this.libos.runtime.completion(token))
  }

  /** Everything that it holds: kind, size and content of every path. */
  async tree(path = '', found = new Map<string, Outcome>()): Promise<Map<string, Outcome>> {
    const { libos } = this
    const { kind, size } = libos.stat(path === '' ? '/' : path)
    if (kind === 'directory') {
      const names = libos.readdir(path === '' ? '/' : path)
      found.set(path, `directory of ${names.length}`)
      for (const name of names) await this.tree(`${path}/${name}`, found)
      return found
    }
    const qd = libos.open(path)
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      const piece = await this.#redeem(libos.popAt(qd, at, 16_384))
      if (typeof piece === 'string' || piece.byteLength === 0) {
        found.set(path, `ends at ${at} of ${size}: ${piece}`)
        libos.close(qd)
        return found
      }
      bytes.set(piece, at)
      at += piece.byteLength
    }
    libos.close(qd)
    found.set(path, bytes)
    return found
  }
}

function outcomeOf(completion: Completion): Outcome {
  if (completion.kind === 'failed') return `failed ${completion.code}`
  if (completion.kind !== 'pop') return completion.kind === 'push' ? `pushed ${completion.bytes}` : completion.kind
  const bytes = completion.sga.toBytes()
  completion.sga.free()
  return bytes
}

/** How two outcomes differ; undefined when they do not. */
export function difference(subject: Outcome | undefined, oracle: Outcome | undefined): string | undefined {
  if (subject === undefined || oracle === undefined || typeof subject === 'string' || typeof oracle === 'string') {
    return subject === oracle ? undefined : `${describe(subject)}, but the oracle: ${describe(oracle)}`
  }
  const length = Math.max(subject.byteLength, oracle.byteLength)
  for (let i = 0; i < length; i++) {
    if (subject[i] === oracle[i]) continue
    return `${describe(subject)}, but the oracle: ${describe(oracle)}; byte ${i} is ${subject[i]}, not ${oracle[i]}`
  }
  return undefined
}

function describe(outcome: Outcome | undefined): string {
  return outcome instanceof Uint8Array ? `${outcome.byteLength} bytes` : String(outcome)
}
