import { openFile, readFile, replaceFile, type StorageFile, writeFile } from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, pattern } from '../bytes.ts'
import type { Section } from './section.ts'
import { code, type Subject } from './subject.ts'

const WRITE = { write: true, create: true } as const

async function opened(subject: Subject, path = '/file'): Promise<StorageFile> {
  return openFile(subject.libos, path, WRITE)
}

/** The promises of `@parakernel/queue` over the libOS. */
export const friendlyFace: Section = {
  name: 'the friendly face',
  cases(define) {
    define('writes and reads, at the cursor and elsewhere', async (subject) => {
      await using file = await opened(subject)
      await file.write('hello ')
      await file.write(new TextEncoder().encode('world'))
      await file.writeAt('J', 0)
      expect(file.size).toBe(11)
      expect(await file.text()).toBe('Jello world')
      expect(await file.read()).toBeUndefined()
      file.seek(6)
      expect(await file.read(3)).toEqual(new TextEncoder().encode('wor'))
      expect(await file.readAt(100)).toBeUndefined()
      await file.truncate(5)
      await file.punchHole(0, 1)
      await file.sync()
      expect(await file.text()).toBe('\0ello')
      expect(file.status()).toMatchObject({ kind: 'file', size: 5 })
    })

    define('large content in order, though nobody waits for the writes', async (subject) => {
      const file = await opened(subject)
      const writes = []
      for (let at = 0; at < 600_000; at += 100_000) writes.push(file.write(pattern(100_000, 4, at)))
      const synced = file.sync()
      await Promise.all(writes)
      await synced
      const bytes = await file.bytes()
      expect(bytes.byteLength).toBe(600_000)
      expectPattern(bytes, 4)
      await file.close()
      await file.close()
      expect(file.closed).toBe(true)
    })

    define('is iterated from the cursor to the end', async (subject) => {
      await writeFile(subject.libos, '/file', pattern(100_000))
      await using file = await openFile(subject.libos, '/file')
      file.seek(10)
      let at = 10
      for await (const piece of file) {
        expectPattern(piece, 1, at)
        at += piece.byteLength
      }
      expect(at).toBe(100_000)
    })

    define('is a pair of web streams', async (subject) => {
      const { libos } = subject
      await writeFile(libos, '/from', pattern(200_000))
      const [from, to] = [await openFile(libos, '/from'), await opened(subject, '/to')]
      await from.readable.pipeTo(to.writable)
      expect(from.closed && to.closed).toBe(true)
      const copy = await readFile(libos, '/to')
      expect(copy.byteLength).toBe(200_000)
      expectPattern(copy, 1)
    })

    define('passes through streams of the platform', async (subject) => {
      const { libos } = subject
      const text = 'compressible '.repeat(5000)
      await writeFile(libos, '/plain', text)
      const [plain, packed] = [await openFile(libos, '/plain'), await opened(subject, '/packed')]
      await plain.readable.pipeThrough(new CompressionStream('gzip')).pipeTo(packed.writable)
      expect(libos.stat('/packed').size).toBeLessThan(5000)
      const again = await openFile(libos, '/packed')
      expect(await new Response(again.readable.pipeThrough(new DecompressionStream('gzip'))).text()).toBe(text)
    })

    define('reads by BYOB readers, and closes when cancelled', async (subject) => {
      await writeFile(subject.libos, '/file', 'abcdefgh')
      const file = await openFile(subject.libos, '/file')
      const reader = file.readable.getReader({ mode: 'byob' })
      const { value } = await reader.read(new Uint8Array(3))
      expect(new TextDecoder().decode(value)).toBe('abc')
      await reader.cancel()
      expect(file.closed).toBe(true)
    })

    define('rejects with typed errors', async (subject) => {
      const { libos } = subject
      await expect(openFile(libos, '/none')).rejects.toEqual(code('ENOENT'))
      await expect(readFile(libos, '/')).rejects.toEqual(code('EISDIR'))
      await writeFile(libos, '/file', 'x')
      const file = await openFile(libos, '/file')
      await expect(file.write('y')).rejects.toEqual(code('EBADF'))
      await expect(file.writeAt('y', 0)).rejects.toEqual(code('EBADF'))
      await expect(file.truncate(0)).rejects.toEqual(code('EBADF'))
      await expect(file.readAt(-1)).rejects.toEqual(code('EINVAL'))
      await file.close()
      await expect(file.read()).rejects.toEqual(code('EBADF'))
      await expect(file.write('y')).rejects.toEqual(code('EBADF'))
    })

    define('abort ends what waits', async (subject) => {
      const file = await opened(subject)
      const writes = Array.from({ length: 10 }, () => file.write(pattern(50_000)))
      file.abort()
      const results = await Promise.allSettled(writes)
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toEqual(code('ECANCELED'))
      }
      expect(results.at(-1)?.status).toBe('rejected')
      file.abort()
    })

    define('replaceFile puts new bytes in the place of old ones', async (subject) => {
      const { libos } = subject
      libos.mkdir('/d')
      await replaceFile(libos, '/d/file', 'one')
      const old = await openFile(libos, '/d/file')
      await replaceFile(libos, '/d/file', pattern(70_000))
      expect(await old.text()).toBe('one')
      await old.close()
      expect(await readFile(libos, '/d/file')).toEqual(pattern(70_000))
      expect(libos.readdir('/d')).toEqual(['file'])
      await expect(replaceFile(libos, '/d', 'x')).rejects.toEqual(code('EISDIR'))
      await expect(replaceFile(libos, '/none/x', 'x')).rejects.toEqual(code('ENOENT'))
      expect(libos.readdir('/')).toEqual(['d'])
    })
  },
}
