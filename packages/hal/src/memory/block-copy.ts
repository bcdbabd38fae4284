import type { WasmMemory } from './wasm.ts'
import { wasm } from './wasm.ts'

/** Copies `length` bytes within one memory, by addresses; the ranges may overlap. Outside of the memory it throws. */
export type BlockCopy = (to: number, from: number, length: number) => void

const I32 = 0x7f
const section = (id: number, ...content: number[]) => [id, content.length, ...content]

/** `memory.copy` and nothing else: (to, from, length) over an imported shared memory of any size. */
const BODY = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x0a, 0, 0, 0x0b]
const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, 1, 0x60, 3, I32, I32, I32, 0),
  ...section(2, 1, 1, 0x6d, 1, 0x6d, 0x02, 0x03, 0, 0x80, 0x80, 0x02), // "m" "m": shared, at most 32,768 pages
  ...section(3, 1, 0),
  ...section(7, 1, 4, 0x63, 0x6f, 0x70, 0x79, 0x00, 0), // "copy"
  ...section(10, 1, BODY.length, ...BODY),
])

/** One instance a memory and thread. */
const copies = new WeakMap<WasmMemory, BlockCopy>()

/**
 * The quick way to copy within a region. On shared memory the engine's own `copyWithin` and `set` go byte by byte, so that no other
 * thread sees half a number: 1448 bytes take them 800 to 2000 ns, this one 45.
 */
export function blockCopy(memory: WasmMemory): BlockCopy {
  let copy = copies.get(memory)
  if (copy === undefined) {
    copy = createBlockCopy(memory)
    copies.set(memory, copy)
  }
  return copy
}

function createBlockCopy(memory: WasmMemory): BlockCopy {
  try {
    const instance = new wasm.Instance(new wasm.Module(MODULE), { m: { m: memory } })
    return (instance.exports as { readonly copy: BlockCopy }).copy
  } catch {
    // An engine without bulk memory, or a memory that is not shared.
    const bytes = new Uint8Array(memory.buffer)
    return (to, from, length) => void bytes.copyWithin(to, from, from + length)
  }
}
