import { execFileSync } from 'node:child_process'

/** The shared libraries that a program loads, the loader included; absolute paths. Empty for a static program. */
export function librariesOf(program: string): string[] {
  let said: string
  try {
    said = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return []
  }
  return said.split('\n').flatMap((line) => {
    const match = /=> (\/\S+)/.exec(line) ?? /^\s+(\/\S+)/.exec(line)
    return match?.[1] === undefined ? [] : [match[1]]
  })
}
