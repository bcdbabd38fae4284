import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ALLOWED_CALLS, calls } from '../src/index.ts'
import { requires } from './requirements.ts'

const folder = new URL('../src', import.meta.url).pathname
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

test('every call of the list can be bound on this machine', (context) => {
  requires(context)
  for (const name of Object.keys(ALLOWED_CALLS) as (keyof typeof ALLOWED_CALLS)[]) {
    expect(typeof calls()[name], name).toBe('function')
  }
})

test('nothing is bound but by the list, and the FFI is loaded in one place', () => {
  expect(sources.filter((name) => read(name).includes("'koffi'"))).toEqual(['ffi/foreign.ts'])
  expect(sources.filter((name) => /\.bind\('|\.bind\(name/.test(read(name)))).toEqual(['ffi/calls.ts'])
})

test('every call of the list is used and says what for', () => {
  const text = sources.map(read).join('\n')
  for (const [name, { purpose }] of Object.entries(ALLOWED_CALLS)) {
    expect(purpose.length, name).toBeGreaterThan(10)
    // Some are for the backends above alone.
    const used =
      text.includes(`calls().${name}`) ||
      text.includes(`uv.${name}(`) ||
      ['getsockopt', 'dup3', 'readv', 'writev'].includes(name)
    expect(used, `${name} is not called`).toBe(true)
  }
})
