import { globSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readScript } from './language/parse-script.ts'
import type { Script } from './language/script.ts'

export const TOOL = fileURLToPath(new URL('..', import.meta.url))

/** All scripts in the order of their paths, or those whose path contains one of `parts`. @throws ScriptError */
export function findScripts(parts: readonly string[] = []): Script[] {
  const files = globSync('scripts/**/*.pkt', { cwd: TOOL }).sort()
  return files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part))).map(scriptAt)
}

function scriptAt(file: string): Script {
  const script = readScript(`${TOOL}${file}`)
  return { ...script, file: relative(TOOL, script.file) }
}
