import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { CpioWriter } from '../src/image/cpio.ts'
import { librariesOf } from '../src/image/libraries.ts'
import { readModuleInfo } from '../src/image/module-info.ts'
import { moduleClosure } from '../src/image/modules.ts'
import { findProgram } from '../src/image/programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'lab-image-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('cpio', () => {
  const archive = () =>
    Buffer.concat(
      new CpioWriter()
        .file('a/b/odd', 'abc', 0o755)
        .file('a/b/odd', 'ignored: the first of a name stays')
        .link('l', 'a/b/odd')
        .device('dev/console', 5, 1)
        .end(),
    )

  test('has what it was given, in the order in which the kernel needs it', () => {
    // Every field is 8 hexadecimal digits; names and data are padded to 4 bytes.
    const bytes = archive()
    const found: [string, number, string][] = []
    for (let at = 0; at < bytes.length; ) {
      const field = (i: number) => Number.parseInt(bytes.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16)
      expect(bytes.toString('latin1', at, at + 6)).toBe('070701')
      const [size, nameSize] = [field(6), field(11)]
      const name = bytes.toString('latin1', at + 110, at + 109 + nameSize)
      const data = (at + 110 + nameSize + 3) & ~3
      found.push([name, field(1), bytes.toString('latin1', data, data + size)])
      at = (data + size + 3) & ~3
    }
    expect(found).toEqual([
      ['a', 0o40755, ''],
      ['a/b', 0o40755, ''],
      ['a/b/odd', 0o100755, 'abc'],
      ['l', 0o120777, 'a/b/odd'],
      ['dev', 0o40755, ''],
      ['dev/console', 0o20600, ''],
      ['TRAILER!!!', 0, ''],
    ])
  })

  test('is unpacked by busybox', (context) => {
    const busybox = findProgram('busybox')
    if (busybox === undefined) return context.skip('busybox is not installed')
    const target = mkdtempSync(join(folder, 'cpio-'))
    const archived = Buffer.concat(new CpioWriter().file('a/b/odd', 'abc').link('l', 'a/b/odd').end())
    execFileSync(busybox, ['cpio', '-i'], { cwd: target, input: archived, stdio: ['pipe', 'ignore', 'ignore'] })
    expect(readFileSync(join(target, 'l'), 'utf8')).toBe('abc')
  })
})

/** The least ELF-64 file that has a `.modinfo` section. */
function elfWithInfo(info: string): Uint8Array {
  const names = '\0.modinfo\0'
  const bytes = Buffer.alloc(64 + info.length + names.length + 3 * 64)
  const table = 64 + info.length + names.length
  bytes.write('\x7fELF', 0, 'latin1')
  bytes.writeBigUInt64LE(BigInt(table), 0x28)
  bytes.writeUInt16LE(64, 0x3a)
  bytes.writeUInt16LE(3, 0x3c)
  bytes.writeUInt16LE(2, 0x3e)
  bytes.write(info, 64, 'latin1')
  bytes.write(names, 64 + info.length, 'latin1')
  const section = (index: number, name: number, offset: number, length: number) => {
    bytes.writeUInt32LE(name, table + index * 64)
    bytes.writeBigUInt64LE(BigInt(offset), table + index * 64 + 0x18)
    bytes.writeBigUInt64LE(BigInt(length), table + index * 64 + 0x20)
  }
  section(1, 1, 64, info.length)
  section(2, 0, 64 + info.length, names.length)
  return bytes
}

describe('kernel modules', () => {
  test('say what they need', () => {
    const info = readModuleInfo(elfWithInfo('license=GPL\0depends=a,b\0softdep=pre: c post: d\0'))
    expect(info.get('depends')).toEqual(['a,b'])
    expect(info.get('softdep')).toEqual(['pre: c post: d'])
  })

  test('come after what they need, once each, and never what a module wants afterwards', () => {
    const modules = mkdtempSync(join(folder, 'modules-'))
    const write = (name: string, info: string) => writeFileSync(join(modules, `${name}.ko`), elfWithInfo(`${info}\0`))
    write('top-one', 'depends=middle,base')
    write('middle', 'depends=base\0softdep=pre: early post: late')
    write('base', 'depends=')
    write('early', 'depends=builtin')
    write('late', 'depends=')
    const names = moduleClosure(modules, ['top_one', 'not_there']).map(({ name }) => name)
    expect(names).toEqual(['base', 'early', 'middle', 'top_one'])
  })
})

test('a program that is linked dynamically has a loader and a libc', () => {
  const libraries = librariesOf(process.execPath)
  expect(libraries.some((file) => /ld-linux/.test(file))).toBe(true)
  expect(libraries.some((file) => /libc\.so/.test(file))).toBe(true)
  expect(librariesOf(join(folder, 'nothing'))).toEqual([])
})
