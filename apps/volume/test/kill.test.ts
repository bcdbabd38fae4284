import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { MonotonicClock } from '@parakernel/hal'
import { blockBackend } from '@parakernel/io-uring'
import { describe, expect, it } from 'vitest'
import { Image, start } from './program.ts'

const isLong = process.env['PARAKERNEL_LONG'] === '1'
const rounds = isLong ? 40 : 2
const PIECE = Buffer.alloc(256 * 1024, 'large ')
const PIECES = 40

const able = blockBackend.probe({ clock: new MonotonicClock() })

/** Gives the program so many pieces on its standard input, each when it has taken the one before. */
async function feed(child: ChildProcess, pieces: number): Promise<void> {
  const { stdin } = child
  stdin?.on('error', () => {})
  for (let i = 0; i < pieces && child.exitCode === null; i++) {
    if (stdin?.write(PIECE) === false) await Promise.race([once(stdin, 'drain'), once(child, 'exit')])
  }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

describe.each(['io-uring', 'emulated'] as const)('ended in the middle of cp, on %s', (backend) => {
  it(
    'by SIGKILL: what was copied before is there, and the file is there wholly or not at all',
    async (test) => {
      if (backend === 'io-uring' && !able.available) test.skip(able.missing)
      const image = await Image.make(backend, '32MiB')
      await image.put('/kept', 'kept '.repeat(20_000))
      for (let round = 0; round < rounds; round++) {
        const child = start(image.args('cp', '-', 'vol:/large'))
        const isWhole = round % 2 === 1
        await feed(child, isWhole ? PIECES : 4 + ((round * 11) % (PIECES - 4)))
        if (isWhole) {
          child.stdin?.end()
          await sleep(round % 30)
        }
        child.kill('SIGKILL')
        await ended(child)
        const names = (await image.ok('ls')).trim().split('\n')
        expect(names).toContain('kept')
        if (names.includes('large')) {
          expect(isWhole).toBe(true)
          expect(await image.json('ls', '/large')).toMatchObject([{ size: PIECES * PIECE.byteLength }])
          await image.ok('rm', '/large')
        }
        for (const name of names) if (name.startsWith('.copying-')) await image.ok('rm', `/${name}`)
        expect(await image.json('fsck')).toMatchObject({ clean: true })
        expect(await image.ok('cat', '/kept')).toBe('kept '.repeat(20_000))
      }
      expect(await image.ok('scrub')).toContain('all is well')
    },
    isLong ? 600_000 : 60_000,
  )

  it('by SIGINT: unmounts, removes what was half copied, and ends with 130', async (test) => {
    if (backend === 'io-uring' && !able.available) test.skip(able.missing)
    const image = await Image.make(backend, '16MiB')
    const child = start(image.args('cp', '-', 'vol:/endless'))
    let stderr = ''
    child.stderr?.on('data', (text) => {
      stderr += text
    })
    // It waits for more when it is interrupted.
    await feed(child, 8)
    child.kill('SIGINT')
    expect([await ended(child), stderr]).toEqual([130, expect.stringContaining('interrupted')])
    expect(await image.ok('ls')).toBe('')
    expect(await image.json('fsck')).toMatchObject({ clean: true })
  })
})

it('the program stands alone: help, and an error on its own streams', async () => {
  const child = start(['ls', '--path', '/nowhere/x.img'])
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  expect(await ended(child)).toBe(1)
  expect(stderr).toMatch(/^parakernel-volume: .*ENOENT/)
})
