import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { blockBackend as ioUring } from '@parakernel/io-uring'
import { persistentBackend as pmem } from '@parakernel/pmem'
import { describe, expect, it } from 'vitest'
import { type BackendName, Image, run } from './program.ts'

const context = { clock: new MonotonicClock() }
const backends: readonly [BackendName, ReturnType<typeof ioUring.probe>][] = [
  ['io-uring', ioUring.probe(context)],
  ['emulated', { available: true }],
  ['pmem', pmem.probe(context)],
]

function bytes(length: number, seed = 1): Uint8Array {
  const array = new Uint8Array(length)
  for (let i = 0; i < length; i++) array[i] = (Math.imul(i + 1, 0x9e3779b1) >>> 24) ^ seed
  return array
}

describe.each(backends)('a day of a volume on %s', (backend, able) => {
  it('is made, filled, listed, read, moved, emptied, checked and scrubbed', async (test) => {
    if (!able.available) test.skip(able.missing)
    const image = await Image.make(backend)
    expect(await image.ok('ls')).toBe('')
    await image.ok('mkdir', '--parents', '/docs/deep')
    const [small, large] = [image.beside('small.txt'), image.beside('large.bin')]
    writeFileSync(small, 'hello\n')
    writeFileSync(large, bytes(1_500_000))
    await image.ok('cp', small, large, 'vol:/docs')
    await image.ok('cp', small, 'vol:/docs/deep/renamed.txt')
    expect(await image.ok('ls', '/docs')).toBe('deep/\nlarge.bin\nsmall.txt\n')
    expect(await image.ok('ls', '-r')).toContain('/docs/deep/renamed.txt')
    expect(await image.ok('ls', '-l', '/docs')).toMatch(/1500000 .* large\.bin/)
    expect(await image.ok('cat', '/docs/small.txt', 'docs/deep/renamed.txt')).toBe('hello\nhello\n')
    expect((await image.run('cat', '/docs/large.bin')).bytes).toEqual(bytes(1_500_000))

    await image.ok('cp', '-r', 'vol:/docs', image.beside('out'))
    expect(readdirSync(image.beside('out')).sort()).toEqual(['deep', 'large.bin', 'small.txt'])
    expect(new Uint8Array(readFileSync(join(image.beside('out'), 'large.bin')))).toEqual(bytes(1_500_000))
    await image.ok('cp', '-r', 'vol:/docs', 'vol:/copy')
    await image.ok('mv', '/copy', '/moved')
    expect(await image.ok('ls')).toBe('docs/\nmoved/\n')
    expect((await image.json<{ freeBytes: number }>('df')).freeBytes).toBeLessThan(8 << 20)
    const root = await image.run('rm', '-r', '-f', '/')
    expect([root.status, root.stderr]).toEqual([1, expect.stringContaining('/ is the root of the volume')])
    await image.ok('rm', '-r', '/docs', '/moved')
    expect(await image.ok('ls')).toBe('')

    expect(await image.json('fsck')).toMatchObject({ clean: true, files: 0 })
    expect(await image.ok('scrub')).toContain('all is well')
    expect(await image.ok('info')).toMatch(/promise +what was synced/)
  })

  it('keeps snapshots', async (test) => {
    if (!able.available) test.skip(able.missing)
    const image = await Image.make(backend)
    await image.put('/file', 'version 1')
    await image.ok('snapshot', 'create', 'first')
    await image.put('/file', 'version 2')
    expect(await image.ok('cat', '/file')).toBe('version 2')
    expect(await image.ok('cat', '--snapshot', 'first', '/file')).toBe('version 1')
    expect(await image.ok('ls', '--snapshot', 'first')).toBe('file\n')
    expect(await image.json<{ name: string }[]>('snapshot', 'list')).toMatchObject([{ name: 'first' }])
    await image.ok('cp', '--snapshot', 'first', 'vol:/file', image.beside('old'))
    expect(readFileSync(image.beside('old'), 'utf8')).toBe('version 1')
    await image.ok('snapshot', 'rollback', 'first')
    expect(await image.ok('cat', '/file')).toBe('version 1')
    await image.ok('snapshot', 'delete', 'first')
    expect(await image.ok('snapshot', 'list')).toContain('no snapshots')
    expect(await image.ok('fsck')).toContain('clean')
  })
})

describe('copying', () => {
  it('goes through the standard streams', async () => {
    const image = await Image.make()
    await image.put('/piped', 'from stdin')
    expect(await image.ok('cp', 'vol:/piped', '-')).toBe('from stdin')
  })

  it('replaces files, goes into directories, and leaves nothing beside', async () => {
    const image = await Image.make()
    const source = image.beside('tree')
    mkdirSync(join(source, 'in'), { recursive: true })
    writeFileSync(join(source, 'a'), 'new')
    writeFileSync(join(source, 'in', 'b'), 'b')
    await image.put('/a', 'old and longer')
    await image.ok('cp', join(source, 'a'), 'vol:/a')
    expect(await image.ok('cat', '/a')).toBe('new')
    await image.ok('mkdir', '/into')
    await image.ok('cp', '-r', source, 'vol:/into')
    expect(await image.ok('ls', '-r')).toBe('/a\n/into/\n/into/tree/\n/into/tree/a\n/into/tree/in/\n/into/tree/in/b\n')
  })

  it('says what is wrong before it copies anything', async () => {
    const image = await Image.make()
    writeFileSync(image.beside('file'), 'x')
    for (const [words, what] of [
      [['cp', image.folder, 'vol:/'], /is a directory; -r copies it/],
      [['cp', image.beside('none'), 'vol:/'], /ENOENT/],
      [['cp', 'vol:/none', image.folder], /is not there|ENOENT/],
      [['cp', image.beside('file'), image.beside('file'), 'vol:/none'], /no directory to copy into/],
      [['cp', '-', 'vol:/'], /needs a name/],
    ] as const) {
      const { status, stderr } = await run(image.args(words[0], ...words.slice(1)))
      expect([status, stderr]).toEqual([1, expect.stringMatching(what)])
    }
    await image.ok('mkdir', '/d')
    expect((await image.run('cp', '-r', 'vol:/d', 'vol:/d/e')).stderr).toMatch(/into itself/)
    expect(await image.ok('ls', '-r')).toBe('/d/\n')
  })

  it('ends with ENOSPC when the volume is full, without a rest', async () => {
    const image = await Image.make('emulated', '4MiB')
    writeFileSync(image.beside('large'), bytes(6 << 20))
    const { status, stderr } = await image.run('cp', image.beside('large'), 'vol:/large')
    expect([status, stderr]).toEqual([1, expect.stringContaining('ENOSPC')])
    expect(await image.ok('ls')).toBe('')
    expect(await image.json('fsck')).toMatchObject({ clean: true })
  })
})
