import { describe, expect, it } from 'vitest'
import { compileKernel, compilerVersion, usesLinearStack } from '../kernel/build.ts'
import { KERNEL_BASE64, KERNEL_COMPILER } from '../src/wasm/kernel-binary.ts'

/** Section ids of a module. */
function sections(binary: Uint8Array): number[] {
  const ids: number[] = []
  for (let at = 8; at < binary.length; ) {
    ids.push(binary[at++])
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = binary[at++]
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    at += length
  }
  return ids
}

describe('the built kernel', () => {
  it('brings no data of its own into the memory', () => {
    const ids = sections(Buffer.from(KERNEL_BASE64, 'base64'))
    expect(ids).toContain(10)
    expect(ids).not.toContain(11)
    expect(ids).not.toContain(8)
  })

  it('is what its source compiles to', (ctx) => {
    const version = compilerVersion()
    if (version === undefined) return ctx.skip('clang or wasm-ld is not installed')
    if (version !== KERNEL_COMPILER) return ctx.skip(`built by ${KERNEL_COMPILER}, here is ${version}`)
    expect(Buffer.from(compileKernel()).toString('base64')).toBe(KERNEL_BASE64)
  })

  it('keeps no stack in the memory', (ctx) => {
    if (compilerVersion() === undefined) return ctx.skip('clang or wasm-ld is not installed')
    expect(usesLinearStack()).toBe(false)
  })
})
