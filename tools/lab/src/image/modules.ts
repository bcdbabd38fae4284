import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readModuleInfo } from './module-info.ts'

export interface KernelModule {
  readonly name: string
  readonly data: Uint8Array
}

/**
 * The modules asked for and all that they depend on, in an order in which insmod takes them. A name that is in no file is built
 * into the kernel. Debian's package carries no modules.dep, so the dependencies come from the modules themselves; of the soft
 * ones only `pre:`, because a `post:` turns the order around.
 */
export function moduleClosure(folder: string, wanted: readonly string[]): KernelModule[] {
  const files = new Map<string, string>()
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const match = /^(.*)\.ko(\.xz)?$/.exec(basename(file))
    if (match?.[1] !== undefined) files.set(match[1].replaceAll('-', '_'), join(folder, file))
  }
  const order = new Map<string, KernelModule>()
  const visiting = new Set<string>()
  const visit = (spelled: string) => {
    const name = spelled.replaceAll('-', '_')
    const file = files.get(name)
    if (file === undefined || order.has(name) || visiting.has(name)) return
    visiting.add(name)
    const data = file.endsWith('.xz')
      ? execFileSync('xz', ['-dc', file], { maxBuffer: 64 << 20 })
      : new Uint8Array(readFileSync(file))
    const info = readModuleInfo(data)
    for (const line of info.get('depends') ?? []) for (const one of line.split(',')) visit(one)
    for (const line of info.get('softdep') ?? []) {
      for (const one of (/pre: ([^:]*?)(?: post:|$)/.exec(line)?.[1] ?? '').split(' ')) visit(one)
    }
    order.set(name, { name, data })
  }
  for (const name of wanted) visit(name)
  return [...order.values()]
}
