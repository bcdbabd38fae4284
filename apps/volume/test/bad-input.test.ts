import { closeSync, copyFileSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tryLock } from '@parakernel/linux'
import { describe, expect, it, onTestFinished } from 'vitest'
import { folder, Image, run } from './program.ts'

const READING = ['ls', 'df', 'info', 'scrub', 'fsck', 'cat'] as const

function attempt(command: string, path: string, ...more: string[]) {
  const words = command === 'cat' ? ['/file'] : []
  return run([command, '--path', path, '--backend', 'emulated', ...more, ...words])
}

describe('the command line', () => {
  it('has help', async () => {
    const { status, stdout } = await run(['--help'])
    expect(status).toBe(0)
    for (const name of ['mkfs', 'ls', 'cat', 'cp', 'mv', 'rm', 'df', 'fsck', 'scrub', 'snapshot', 'info']) {
      expect(stdout).toContain(name)
      const help = await run([name, '--help'])
      expect(help.status).toBe(0)
      expect(help.stdout).toContain('--backend')
      expect(help.stdout).toContain(`parakernel-volume ${name}`)
    }
  })

  it.each([
    [[], 'Commands'],
    [['format'], 'there is no command format'],
    [['ls'], 'which image'],
    [['ls', '--path'], '--path'],
    [['ls', '--path', 'x.img', '--backend', 'floppy'], 'floppy is none of io-uring, emulated, pmem'],
    [['ls', '--path', 'x.img', '--frobnicate'], 'knows no flag --frobnicate'],
    [['ls', '--path', 'x.img', 'a', 'b'], 'expected [path]'],
    [['cat', '--path', 'x.img'], 'expected path...'],
    [['cp', '--path', 'x.img', 'a', 'b'], 'nothing is of the volume'],
    [['mkfs', '--path', '/nowhere/x.img', '--size', 'big'], 'no number of bytes'],
    [['mkfs', '--path', '/nowhere/x.img'], 'say how large'],
    [['snapshot', '--path', 'x.img', 'undo'], 'list, create, delete and rollback'],
    [['snapshot', '--path', 'x.img', 'create'], 'which one'],
    [['ls', '--path', 'x.img', '--config', '/nowhere.json'], '--config /nowhere.json'],
    [['ls', '--path', 'x.img', '--options', 'fast'], 'name=value'],
  ])('refuses %j with 2', async (args, what) => {
    const { status, stdout, stderr } = await run(args)
    expect([status, stdout + stderr]).toEqual([2, expect.stringContaining(what)])
    expect(stderr).not.toContain('    at ')
  })

  it('tells errors as JSON when asked to', async () => {
    const { status, stderr } = await run(['ls', '--path', '/nowhere/x.img', '--json'])
    expect(status).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ENOENT' } })
  })

  it('takes backend, path and options from a config', async () => {
    const image = await Image.make()
    const config = image.beside('config.json')
    const storage = { libos: 'storage', backend: 'emulated', path: image.path, queueDepth: 16 }
    writeFileSync(config, JSON.stringify({ storage }))
    expect((await run(['df', '--config', config])).status).toBe(0)
    writeFileSync(config, JSON.stringify({ storage: { ...storage, colour: 'red' } }))
    expect((await run(['df', '--config', config])).stderr).toContain('no option colour')
  })

  it('takes the image from the environment', async () => {
    const image = await Image.make()
    process.env['PARAKERNEL_VOLUME'] = image.path
    try {
      expect((await run(['df', '--backend', 'emulated'])).status).toBe(0)
    } finally {
      delete process.env['PARAKERNEL_VOLUME']
    }
  })

  it('mkfs overwrites nothing unless it is told to', async () => {
    const image = await Image.make()
    expect((await image.run('mkfs')).stderr).toContain('EEXIST')
    const other = image.beside('other.img')
    writeFileSync(other, Buffer.alloc(1 << 20, 'something else '))
    const before = readFileSync(other)
    expect(await attempt('mkfs', other)).toMatchObject({ status: 1, stderr: expect.stringContaining('--force') })
    expect(readFileSync(other).equals(before)).toBe(true)
    expect((await attempt('mkfs', other, '--force')).status).toBe(0)
    expect((await attempt('ls', other)).status).toBe(0)
  })
})

describe('an image that is none', () => {
  const rubbish: readonly [string, (path: string) => void][] = [
    ['is not there', () => {}],
    ['is empty', (path) => writeFileSync(path, '')],
    ['is a few bytes', (path) => writeFileSync(path, 'hello')],
    ['is zeroes', (path) => writeFileSync(path, new Uint8Array(1 << 20))],
    ['is text', (path) => writeFileSync(path, Buffer.alloc(1 << 20, 'lorem ipsum '))],
    [
      'is random',
      (path) =>
        writeFileSync(
          path,
          Uint8Array.from({ length: 1 << 20 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 23),
        ),
    ],
  ]
  it.each(rubbish)('%s: refused by every command, and left as it is', async (_, make) => {
    const path = join(folder(), 'rubbish.img')
    make(path)
    const before = existsSync(path) ? readFileSync(path) : undefined
    for (const command of READING) {
      const { status, stderr } = await attempt(command, path)
      expect([1, 3], `${command}: ${stderr}`).toContain(status)
      expect(stderr).toContain('parakernel-volume: ')
      expect(stderr, command).not.toContain('    at ')
    }
    expect(existsSync(path) ? readFileSync(path) : undefined).toEqual(before)
  })

  it.each([
    ['/dev/null', 'ENOTSUP'],
    ['/dev/full', 'ENOTSUP'],
    [tmpdir(), 'EISDIR'],
  ])('%s is refused by name', async (path, code) => {
    for (const backend of ['io-uring', 'emulated', 'pmem']) {
      for (const command of ['ls', 'mkfs'] as const) {
        const { status, stderr } = await run([command, '--path', path, '--backend', backend, '--json'])
        expect([status, JSON.parse(stderr)]).toMatchObject([1, { error: { code } }])
      }
    }
  })

  it('is not left behind by mkfs that failed', async () => {
    const path = join(folder(), 'new.img')
    const { status } = await attempt('mkfs', path, '--size', '16MiB', '--cluster-size', '3000')
    expect([status, existsSync(path)]).toEqual([1, false])
  })

  it('was cut to its first block', async () => {
    const image = await Image.make()
    truncateSync(image.path, 4096)
    const { status, stderr } = await attempt('fsck', image.path)
    expect([status, stderr]).toEqual([1, expect.stringContaining('restore its length')])
  })

  it.runIf(process.platform === 'linux')('is in use: refused by every backend', async () => {
    const image = await Image.make()
    const fd = openSync(image.path, 'r')
    onTestFinished(() => closeSync(fd))
    expect(tryLock(fd, image.path)).toBe(true)
    for (const backend of ['io-uring', 'emulated']) {
      const { status, stderr } = await run(['ls', '--path', image.path, '--backend', backend, '--json'])
      expect([status, JSON.parse(stderr)]).toMatchObject([1, { error: { code: 'EBUSY' } }])
    }
  })

  it('was cut short', async () => {
    const image = await Image.make()
    truncateSync(image.path, 5 << 20)
    for (const command of READING) {
      const { status, stderr } = await attempt(command, image.path)
      expect([1, 3], `${command}: ${stderr}`).toContain(status)
      expect(stderr).not.toContain('    at ')
    }
  })

  it('was damaged somewhere: every command ends, and none with a stack', async () => {
    const image = await Image.make()
    writeFileSync(image.beside('file'), Buffer.alloc(300_000, 'content '))
    await image.ok('cp', image.beside('file'), 'vol:/file')
    const whole = readFileSync(image.path)
    const damaged = image.beside('damaged.img')
    let refused = 0
    for (let i = 0; i < 12; i++) {
      const bytes = Buffer.from(whole)
      const at = i * 4096
      bytes.fill(0xa5, at, at + 64 + i)
      writeFileSync(damaged, bytes)
      for (const command of ['fsck', 'ls'] as const) {
        const { status, stderr } = await attempt(command, damaged)
        expect([0, 1, 3], `${command} with ${at}: ${stderr}`).toContain(status)
        expect(stderr, `${command} with ${at}`).not.toContain('    at ')
        if (status !== 0) refused++
      }
    }
    expect(refused).toBeGreaterThan(0)
    copyFileSync(image.path, damaged)
    expect((await attempt('fsck', damaged)).status).toBe(0)
  })
})
