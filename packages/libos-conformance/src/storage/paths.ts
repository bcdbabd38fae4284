import type { StorageLibOS } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

/** Every call that takes a path. */
const CALLS: readonly [string, (libos: StorageLibOS, path: string) => unknown][] = [
  ['open', (libos, path) => libos.open(path)],
  ['open to create', (libos, path) => libos.open(path, { write: true, create: true })],
  ['creat', (libos, path) => libos.creat(path)],
  ['stat', (libos, path) => libos.stat(path)],
  ['readdir', (libos, path) => libos.readdir(path)],
  ['mkdir', (libos, path) => libos.mkdir(path)],
  ['rmdir', (libos, path) => libos.rmdir(path)],
  ['unlink', (libos, path) => libos.unlink(path)],
  ['rename from', (libos, path) => libos.rename(path, '/to')],
  ['rename to', (libos, path) => libos.rename('/there', path)],
]

const MALFORMED: readonly [string, string][] = [
  ['relative', 'file'],
  ['empty', ''],
  ['a dot', '/.'],
  ['two dots', '/..'],
  ['traversal', '/../../../../etc/passwd'],
  ['traversal behind a name', '/there/../there'],
  ['a dot between', '/./there'],
  ['an empty component', '//there'],
  ['a slash at the end', '/there/'],
  ['slashes alone', '//'],
  ['NUL', '/a\0b'],
  ['NUL at the end', '/there\0'],
  ['half a surrogate pair', '/a\ud800b'],
  ['the other half', '/\udc00'],
]

export const paths: Section = {
  name: 'paths',
  cases(define) {
    for (const [call, run] of CALLS) {
      define(`${call} refuses malformed paths with EINVAL`, async (subject) => {
        const { libos } = subject
        await subject.file('/there', 'x')
        for (const [what, path] of MALFORMED) expect(() => run(libos, path), what).toThrow(code('EINVAL'))
        for (const path of [undefined, null, 7, {}, ['/there']]) {
          expect(() => run(libos, path as never), String(path)).toThrow(code('EINVAL'))
        }
        expect(libos.readdir('/')).toEqual(['there'])
      })
    }

    define('255 bytes are a name, 256 are not, and bytes are counted', async (subject) => {
      const { libos } = subject
      await subject.file('/there', 'x')
      const names = ['n'.repeat(255), 'é'.repeat(127), '\u{1f600}'.repeat(63), '漢'.repeat(85)]
      for (const name of names) {
        await subject.file(`/${name}`, name)
        expect(await subject.textAt(`/${name}`)).toBe(name)
      }
      expect(libos.readdir('/')).toHaveLength(5)
      for (const name of names) libos.unlink(`/${name}`)
      for (const name of [
        'n'.repeat(256),
        'é'.repeat(128),
        '\u{1f600}'.repeat(64),
        '漢'.repeat(86),
        'n'.repeat(100_000),
      ]) {
        for (const [call, run] of CALLS) expect(() => run(libos, `/${name}`), call).toThrow(code('ENAMETOOLONG'))
        expect(() => libos.stat(`/${name}/below`)).toThrow(code('ENAMETOOLONG'))
      }
      expect(libos.readdir('/')).toEqual(['there'])
    })

    define('a path of more than 4,095 bytes is too long', ({ libos }) => {
      const path = (bytes: number) => `${'/abc'.repeat(Math.floor(bytes / 4))}${'/abc'.slice(0, bytes % 4)}`
      expect(() => libos.stat(path(4095))).toThrow(code('ENOENT'))
      expect(() => libos.stat(path(4098))).toThrow(code('ENAMETOOLONG'))
    })

    define('names are anything else', async (subject) => {
      const { libos } = subject
      const names = [
        '...',
        '.hidden',
        'with space',
        'tab\tand\nnewline',
        '-rf',
        '*?',
        'a"b\'c',
        '\u0001',
        '%2e%2e',
        'ünïcödé',
        '名前',
      ]
      for (const name of names) await subject.file(`/${name}`, `content of ${name}`)
      expect([...libos.readdir('/')].sort()).toEqual([...names].sort())
      for (const name of names) expect(await subject.textAt(`/${name}`)).toBe(`content of ${name}`)
    })

    define(
      'names are told apart by their bytes',
      async (subject) => {
        const { libos } = subject
        // Precomposed and decomposed, upper and lower case.
        const names = ['\u00e9', 'e\u0301', 'File', 'file', 'FILE']
        for (const name of names) await subject.file(`/${name}`, name)
        expect(libos.readdir('/')).toHaveLength(5)
        for (const name of names) expect(await subject.textAt(`/${name}`)).toBe(name)
      },
      { needs: 'exactNames' },
    )
  },
}
