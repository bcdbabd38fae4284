/** An instruction of eBPF as two words: opcode, registers and offset; immediate. */
const WORDS = 2
const LOAD_64 = 0x18
const JUMP_CLASS = 0x05
const JUMP32_CLASS = 0x06
const JUMP_ALWAYS = 0x05
const CALL = 0x85
const EXIT = 0x95

/**
 * Which instructions of a program can be reached from its first one. The verifier refuses a program with others, and code that is
 * put together from parts has some: behind a part that always decides, say.
 * @param target word index that the jump at a word index leads to; undefined where there is no jump
 */
export function reachable(code: readonly number[], target: (at: number) => number | undefined): ReadonlySet<number> {
  const found = new Set<number>()
  const open = [0]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (found.has(at) || at >= code.length) continue
    found.add(at)
    const opcode = (code[at] as number) & 0xff
    if (opcode === EXIT) continue
    if (opcode === LOAD_64) {
      found.add(at + WORDS)
      open.push(at + 2 * WORDS)
      continue
    }
    const isJump = ((opcode & 7) === JUMP_CLASS || (opcode & 7) === JUMP32_CLASS) && opcode !== CALL
    const to = isJump ? target(at) : undefined
    if (to !== undefined) open.push(to)
    if (opcode !== JUMP_ALWAYS) open.push(at + WORDS)
  }
  return found
}
