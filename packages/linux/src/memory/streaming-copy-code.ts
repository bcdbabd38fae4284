/** Offsets of the two entries in the code. */
export const ENTRY_COPY = 0
export const ENTRY_COPY_PERSIST = 96

/**
 * Copies 8 bytes at a time past the caches (MOVNTI), for x86-64, System V calling convention; it changes RAX, RCX, RDX, RSI and RDI. The
 * words at `words` are: offset from `target`, offset from `source`, and how many times 8 bytes, at least 1. The second entry
 * ends with SFENCE.
 */
export function assembleStreamingCopy(target: number, source: number, words: number): Uint8Array {
  const copy = [
    ...[0x48, 0xba, ...address(words)], //    mov    rdx, words
    ...[0x48, 0xbf, ...address(target)], //   mov    rdi, target
    ...[0x48, 0xbe, ...address(source)], //   mov    rsi, source
    ...[0x8b, 0x02], //                       mov    eax, [rdx]
    ...[0x48, 0x01, 0xc7], //                 add    rdi, rax
    ...[0x8b, 0x42, 0x04], //                 mov    eax, [rdx + 4]
    ...[0x48, 0x01, 0xc6], //                 add    rsi, rax
    ...[0x8b, 0x4a, 0x08], //                 mov    ecx, [rdx + 8]
    ...[0x48, 0x8b, 0x06], //           next: mov    rax, [rsi]
    ...[0x48, 0x0f, 0xc3, 0x07], //           movnti [rdi], rax
    ...[0x48, 0x83, 0xc6, 0x08], //           add    rsi, 8
    ...[0x48, 0x83, 0xc7, 0x08], //           add    rdi, 8
    ...[0xff, 0xc9], //                       dec    ecx
    ...[0x75, 0xed], //                       jnz    next
  ]
  const [fence, end] = [[0x0f, 0xae, 0xf8], [0xc3]]
  // int3 between the entries, so that a jump astray stops at once.
  const code = new Uint8Array(ENTRY_COPY_PERSIST + copy.length + fence.length + end.length).fill(0xcc)
  code.set([...copy, ...end], ENTRY_COPY)
  code.set([...copy, ...fence, ...end], ENTRY_COPY_PERSIST)
  return code
}

function address(value: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)
}
