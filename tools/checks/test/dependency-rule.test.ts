import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FLOORS, SUITES, withoutTypeQueries, workspaceImports } from '../src/floors.ts'
import { sourceFiles, workspacePackages } from '../src/workspace.ts'

const short = (name: string) => name.replace('@parakernel/', '')

describe('the floors', () => {
  test('every allowed import goes down', () => {
    for (const [name, { floor, imports }] of Object.entries(FLOORS)) {
      for (const other of imports) expect(FLOORS[other]?.floor, `${name} may import ${other}`).toBeLessThan(floor)
    }
  })

  test('the rule sees a static, a dynamic and a type-only import', () => {
    const source = `import { a } from '@parakernel/net'\nimport type { B } from "@parakernel/hal"\nawait import('@parakernel/host')`
    expect(workspaceImports(source).sort()).toEqual(['hal', 'host', 'net'])
  })
})

describe.each(workspacePackages('packages'))('$path', ({ directory, manifest }) => {
  const name = short(manifest.name)
  const allowed = FLOORS[name]?.imports ?? SUITES[name]
  const peers = FLOORS[name]?.peers ?? []

  test('has its place in the house', () => {
    expect(allowed, `${name} is on no floor: add it to tools/checks/src/floors.ts`).toBeDefined()
  })

  test('imports only from lower floors', () => {
    const read = (file: string) => {
      const source = readFileSync(join(directory, file), 'utf8')
      return peers.length > 0 ? withoutTypeQueries(source) : source
    }
    const wrong = sourceFiles(directory, 'src').flatMap((file) =>
      workspaceImports(read(file))
        .filter((other) => other !== name && !allowed?.includes(other))
        .map((other) => `${file} imports ${other}`),
    )
    expect(wrong).toEqual([])
  })

  test('depends on what it may import, and on nothing else of the workspace', () => {
    const declared = [
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}).filter((other) => !peers.includes(short(other))),
    ]
    const wrong = declared.filter((other) => other.startsWith('@parakernel/') && !allowed?.includes(short(other)))
    expect(wrong).toEqual([])
  })

  test('comments out no test and names no reason-less skip', () => {
    const wrong = sourceFiles(directory, 'test').filter((file) =>
      /\b(test|it|describe)\.(only|todo)\b|\bskip\(\s*\)/.test(readFileSync(join(directory, file), 'utf8')),
    )
    expect(wrong).toEqual([])
  })
})
