import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { MemoryBudget, TcpMemory } from '../../src/tcp/buffer/memory-budget.ts'
import { Segment } from '../../src/tcp/segment.ts'

export interface Memory {
  readonly pool: DebugFramePool
  readonly memory: TcpMemory
  readonly budget: MemoryBudget
}

/** A pool with a budget of all its frames; `receiveBuffer` in bytes bounds the socket. */
export function memoryOf(frames: number, receiveBuffer = frames * 1024): Memory {
  const pool = new DebugFramePool(createPlainWindow(frames))
  const memory = new TcpMemory(pool, frames)
  return { pool, memory, budget: new MemoryBudget(memory, receiveBuffer) }
}

/** The byte that stands at a place of the sequence space, so that any two of them are unlikely to be taken for each other. */
export function byteAt(sequence: number): number {
  return (Math.imul(sequence, 0x9e3779b1) >>> 13) & 0xff
}

/** A segment with its payload in a frame of its own, as it comes from a device. */
export function segmentOf(pool: DebugFramePool, sequence: number, length: number, offset = 316): Segment {
  const segment = new Segment()
  segment.sequence = sequence | 0
  segment.length = length
  segment.frame = pool.allocate()
  if (segment.frame < 0) throw new Error('the pool of the test is empty')
  segment.address = pool.address(segment.frame) + offset
  for (let i = 0; i < length; i++) pool.bytes[segment.address + i] = byteAt(sequence + i)
  return segment
}

/** Four words of an IPv4 address. */
export function ipv4Words(a: number, b: number, c: number, d: number): Int32Array {
  return Int32Array.of(0, 0, 0xffff, (a << 24) | (b << 16) | (c << 8) | d)
}
