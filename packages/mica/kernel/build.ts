/**
 * Compiles mica.c to WebAssembly. `node kernel/build.ts` writes src/wasm/kernel-binary.ts; a test compiles again
 * and compares the bytes. The output depends on the compiler's version, which the generated file therefore names.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const directory = import.meta.dirname

/** First line of `clang --version`, or undefined where clang or its linker for WebAssembly is missing. */
export function compilerVersion(): string | undefined {
  try {
    const link = ['--target=wasm32', '-nostdlib', '-Wl,--no-entry', '-x', 'c', '/dev/null', '-o', '/dev/null']
    execFileSync('clang', link, { stdio: 'ignore' })
    return execFileSync('clang', ['--version'], { encoding: 'utf8' }).split('\n')[0]
  } catch {
    return undefined
  }
}

const OPTIONS = [
  '--target=wasm32',
  '-O3',
  '-nostdlib',
  '-ffreestanding',
  '-fno-strict-aliasing',
  '-fno-delete-null-pointer-checks',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-int-to-pointer-cast',
  '-Wno-pointer-to-int-cast',
  '-msimd128',
  '-mbulk-memory',
  '-matomics',
  '-mmutable-globals',
]

const LINKER_OPTIONS = [
  '--no-entry',
  '--import-memory',
  '--shared-memory',
  '--max-memory=2147483648',
  '--strip-all',
  '--gc-sections',
]

function clang(more: readonly string[]): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'mica-kernel-'))
  try {
    const output = join(scratch, 'output')
    execFileSync('clang', [...OPTIONS, ...more, '-o', output, join(directory, 'mica.c')])
    return readFileSync(output)
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

/** The compiled module. */
export function compileKernel(): Uint8Array {
  return clang(LINKER_OPTIONS.map((option) => `-Wl,${option}`))
}

/** True if some function keeps variables in linear memory, which belongs to the caller. */
export function usesLinearStack(): boolean {
  return Buffer.from(clang(['-S'])).includes('__stack_pointer')
}

if (process.argv[1] === import.meta.filename) {
  const binary = compileKernel()
  const lines =
    Buffer.from(binary)
      .toString('base64')
      .match(/.{1,110}/g) ?? []
  const text = [
    '// Generated from kernel/mica.c by kernel/build.ts. Do not edit.',
    '',
    `export const KERNEL_COMPILER = '${compilerVersion()}'`,
    '',
    `/** The module, ${binary.length} bytes, in base64. */`,
    'export const KERNEL_BASE64 = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('')",
    '',
  ]
  writeFileSync(join(directory, '../src/wasm/kernel-binary.ts'), text.join('\n'))
  console.log(`${binary.length} bytes`)
}
