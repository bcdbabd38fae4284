import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** What a checkout was built to. */
export interface Built {
  readonly packetdrill: string
  readonly shim: string
  /** Where its scripts are. */
  readonly scripts: string
  /** Of the checkout; `unknown` when it is no repository. */
  readonly commit: string
}

/** Builds packetdrill in the user's checkout, and our shared object against its header. Throws with what the tools said. */
export function build(source: string, output: string): Built {
  const folder = resolve(source, 'gtests/net/packetdrill')
  if (!existsSync(join(folder, 'packetdrill.h'))) {
    throw new Error(`${source} is no checkout of packetdrill: it has no gtests/net/packetdrill/packetdrill.h`)
  }
  const run = (command: string, words: readonly string[], cwd: string) => {
    try {
      return execFileSync(command, words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    } catch (error) {
      const { stderr, message } = error as { stderr?: string; message: string }
      throw new Error(
        `${command} ${words.join(' ')} failed; gcc, make, bison and flex are needed.\n${stderr || message}`,
      )
    }
  }
  if (!existsSync(join(folder, 'packetdrill'))) {
    run('./configure', [], folder)
    run('make', ['packetdrill'], folder)
  }
  const shim = join(output, 'shim.so')
  const code = join(import.meta.dirname, '../shim/shim.c')
  run('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-I', folder, '-o', shim, code], output)
  return {
    packetdrill: join(folder, 'packetdrill'),
    shim,
    scripts: resolve(source, 'gtests/net/tcp'),
    commit: commitOf(source),
  }
}

function commitOf(source: string): string {
  try {
    return execFileSync('git', ['-C', source, 'rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return 'unknown'
  }
}
