import { createPlainRegion, type WasmMemory } from '@parakernel/hal'
import {
  type KernelChoice,
  keyhash,
  MicaPartition,
  type MicaPartitionOptions,
  OP_SET,
  RequestBatch,
} from '../../src/index.ts'

/** One request, as tests write it. */
export interface Operation {
  readonly opcode: number
  readonly key: Uint8Array
  readonly value?: Uint8Array
  readonly flags?: number
  readonly expiresAt?: number
  readonly operand?: bigint
}

export interface Response {
  readonly result: number
  readonly value: Uint8Array
  readonly length: number
  readonly version: bigint
  readonly flags: number
  readonly expiresAt: number
}

const CAPACITY = 64

/** A partition at a non-zero offset with a batch, a request area and an output area behind it. */
export class Harness {
  readonly memory: WasmMemory
  readonly partition: MicaPartition
  readonly batch: RequestBatch
  readonly bytes: Uint8Array
  /** Skews every request and output address, to test alignments. */
  skew = 0
  readonly #requests: number
  readonly #out: number
  readonly #outBytes: number

  constructor(
    kernel: KernelChoice,
    windowBytes: number,
    options: Partial<MicaPartitionOptions> = {},
    areaBytes = 1 << 16,
  ) {
    const base = 4096
    const batchOffset = base + windowBytes
    this.#requests = batchOffset + RequestBatch.byteLength(CAPACITY)
    this.#out = this.#requests + areaBytes
    this.#outBytes = areaBytes
    this.memory = createPlainRegion(this.#out + areaBytes + 64).memory
    this.partition = new MicaPartition({
      memory: this.memory,
      byteOffset: base,
      byteLength: windowBytes,
      kernel,
      ...options,
    })
    this.batch = new RequestBatch(this.memory, batchOffset, CAPACITY)
    this.bytes = new Uint8Array(this.memory.buffer)
  }

  /** Lays the operations out as a received frame would, without running them. */
  fill(operations: readonly Operation[]): void {
    const { batch, bytes } = this
    const lanes = new Int32Array(2)
    batch.count = 0
    let at = this.#requests + this.skew
    for (const operation of operations) {
      const { opcode, key, value = new Uint8Array(0) } = operation
      bytes.set(key, at)
      keyhash(bytes, at, key.length, lanes)
      const index = batch.add(opcode, lanes[0], lanes[1], at, key.length)
      at += key.length + 7
      bytes.set(value, at)
      batch.valueAddress[index] = at
      batch.valueLength[index] = value.length
      at += value.length + 1
      batch.flags[index] = operation.flags ?? 0
      batch.expiresAt[index] = operation.expiresAt ?? 0
      batch.operandLo[index] = Number(BigInt.asIntN(32, operation.operand ?? 0n))
      batch.operandHi[index] = Number(BigInt.asIntN(32, (operation.operand ?? 0n) >> 32n))
    }
    if (at > this.#out) throw new Error('the request area is too small')
  }

  /** Runs the operations as one burst, in packets of `packet` requests. */
  run(operations: readonly Operation[], now = 0, packet = 64, gap = 8): Response[] {
    this.fill(operations)
    const { batch, partition } = this
    partition.prepare(batch, now)
    const responses: Response[] = []
    for (let from = 0; from < operations.length; from += packet) {
      const to = Math.min(from + packet, operations.length)
      partition.execute(batch, from, to, this.#out + this.skew, this.#out + this.#outBytes, gap)
      for (let i = from; i < to; i++) responses.push(this.response(i))
    }
    return responses
  }

  response(i: number): Response {
    const { batch } = this
    const copied = batch.result[i] === 0 && batch.opcode[i] !== 13 && batch.storedAddress[i] !== 0
    const address = batch.responseAddress[i]
    const length = batch.responseLength[i]
    return {
      result: batch.result[i],
      value: copied ? this.bytes.slice(address, address + length) : new Uint8Array(0),
      length,
      version: (BigInt(batch.versionHi[i] >>> 0) << 32n) | BigInt(batch.versionLo[i] >>> 0),
      flags: batch.responseFlags[i],
      expiresAt: batch.responseExpiresAt[i],
    }
  }

  one(operation: Operation, now = 0): Response {
    return this.run([operation], now)[0]
  }

  set(key: string | Uint8Array, value: Uint8Array): number {
    return this.one({ opcode: OP_SET, key: typeof key === 'string' ? new TextEncoder().encode(key) : key, value })
      .result
  }
}

export const KERNELS: readonly KernelChoice[] = ['typescript', 'wasm']

/** `length` bytes that depend on the seed. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed * 2654435761) >>> 0 || 1
  for (let i = 0; i < length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}

/** Key number `n` of `length` bytes (at least 4). */
export function keyOf(n: number, length = 8): Uint8Array {
  const key = new Uint8Array(length).fill(0x6b)
  new DataView(key.buffer).setUint32(0, n, true)
  return key
}
