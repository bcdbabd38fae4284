/** Instructions that write a cache line back, the best first: `clwb` may keep the line in the cache, the others evict it. */
export const WRITE_BACK_INSTRUCTIONS = ['clwb', 'clflushopt', 'clflush'] as const
export type WriteBackInstruction = (typeof WRITE_BACK_INSTRUCTIONS)[number]

/** The instruction on the line at RSI (Intel SDM volume 2); padded to one length, so that jumps are the same for all. */
const ON_RSI: Readonly<Record<WriteBackInstruction, readonly number[]>> = {
  clwb: [0x66, 0x0f, 0xae, 0x36],
  clflushopt: [0x66, 0x0f, 0xae, 0x3e],
  clflush: [0x0f, 0xae, 0x3e, 0x90],
}
const SFENCE = [0x0f, 0xae, 0xf8]
const RET = [0xc3]

/** Offsets of the three entries in the code. */
export const ENTRY_FLUSH = 0
export const ENTRY_PERSIST = 64
export const ENTRY_DRAIN = 128

/**
 * All the machine code of this package, for x86-64, System V calling convention; it changes RAX, RCX, RDX, RSI and RDI, which belong
 * to the caller's scratch registers, and writes no memory. The words at `words` are: count of ranges, unused, and for each
 * range the offset of its first line from `base` and its count of lines, at least 1.
 *
 * - flush: the write-back instruction on every line of every range
 * - persist: the same, then SFENCE
 * - drain: SFENCE
 */
export function assembleWriteBack(base: number, words: number, instruction: WriteBackInstruction): Uint8Array {
  const lines = [
    ...[0x48, 0xb8, ...address(base)], //        mov  rax, base
    ...[0x48, 0xba, ...address(words)], //       mov  rdx, words
    ...[0x8b, 0x0a], //                          mov  ecx, [rdx]
    ...[0x83, 0xe9, 0x01], //              range: sub  ecx, 1
    ...[0x72, 0x1a], //                          jb   done
    ...[0x48, 0x83, 0xc2, 0x08], //              add  rdx, 8
    ...[0x8b, 0x32], //                          mov  esi, [rdx]
    ...[0x8b, 0x7a, 0x04], //                    mov  edi, [rdx + 4]
    ...[0x48, 0x01, 0xc6], //                    add  rsi, rax
    ...ON_RSI[instruction], //             line: clwb [rsi]
    ...[0x48, 0x83, 0xc6, 0x40], //              add  rsi, 64
    ...[0xff, 0xcf], //                          dec  edi
    ...[0x75, 0xf4], //                          jnz  line
    ...[0xeb, 0xe1], //                          jmp  range
    //                                     done:
  ]
  // int3 between the entries, so that a jump astray stops at once.
  const code = new Uint8Array(ENTRY_DRAIN + SFENCE.length + RET.length).fill(0xcc)
  code.set([...lines, ...RET], ENTRY_FLUSH)
  code.set([...lines, ...SFENCE, ...RET], ENTRY_PERSIST)
  code.set([...SFENCE, ...RET], ENTRY_DRAIN)
  return code
}

function address(value: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)
}
