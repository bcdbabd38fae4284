import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

export const cursor: Section = {
  name: 'cursor',
  cases(define) {
    define('seek from start, cursor and end', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, '0123456789')
      expect(libos.seek(qd, 4)).toBe(4)
      expect(libos.seek(qd, 2, 'cursor')).toBe(6)
      expect(libos.seek(qd, -5, 'cursor')).toBe(1)
      expect(libos.seek(qd, -3, 'end')).toBe(7)
      expect(await subject.poppedText(libos.pop(qd))).toBe('789')
      expect(libos.seek(qd, 0, 'end')).toBe(10)
    })

    define('below 0, above 2^53 - 1 and no number at all are EINVAL, and the cursor stays', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'abc')
      for (const [offset, from] of [
        [-1, 'start'],
        [-4, 'cursor'],
        [-4, 'end'],
        [0.5, 'start'],
        [Number.NaN, 'start'],
        [Infinity, 'start'],
        [2 ** 53, 'start'],
        [Number.MAX_SAFE_INTEGER, 'cursor'],
      ] as const) {
        expect(() => libos.seek(qd, offset, from), `${offset} from ${from}`).toThrow(code('EINVAL'))
        expect(libos.seek(qd, 0, 'cursor')).toBe(3)
      }
    })

    define('past the end is allowed: a pop is empty, a push leaves a hole', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      expect(libos.seek(qd, 10_000)).toBe(10_000)
      expect(await subject.poppedText(libos.pop(qd))).toBe('')
      expect(libos.status(qd).size).toBe(0)
      await subject.write(qd, 'x')
      expect(libos.status(qd).size).toBe(10_001)
      expect(await subject.read(qd, 0, 10_000)).toEqual(new Uint8Array(10_000))
    })

    define('moves in the call, so that pushes can follow each other', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const tokens = []
      for (let i = 0; i < 20; i++) {
        tokens.push(subject.push(qd, `${i % 10}`))
        expect(libos.seek(qd, 0, 'cursor')).toBe(i + 1)
        expect(libos.status(qd).size).toBe(i + 1)
        expect(libos.seek(qd, 0, 'end')).toBe(i + 1)
      }
      for (const token of tokens) await subject.done(token, 'push')
      expect(await subject.text(qd)).toBe('01234567890123456789')
    })

    define('moves in the call, so that pops can follow each other', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'abcdefgh')
      const qd = libos.open('/file')
      const tokens = [3, 3, 3, 3].map((limit) => libos.pop(qd, limit))
      expect(libos.seek(qd, 0, 'cursor')).toBe(8)
      expect(await Promise.all(tokens.map((token) => subject.poppedText(token)))).toEqual(['abc', 'def', 'gh', ''])
    })

    define('pops and pushes of one descriptor take turns', async (subject) => {
      const { libos } = subject
      await subject.file('/file', '....----....')
      const qd = libos.open('/file', { write: true })
      const first = libos.pop(qd, 4)
      const push = subject.push(qd, 'PUSH')
      const last = libos.pop(qd, 4)
      const behind = libos.popAt(qd, 4, 4)
      expect(await subject.poppedText(first)).toBe('....')
      await subject.done(push, 'push')
      expect(await subject.poppedText(last)).toBe('....')
      expect(await subject.poppedText(behind)).toBe('PUSH')
    })

    define('a pop sees every push before it, by any descriptor', async (subject) => {
      const { libos } = subject
      const [one, two, reader] = [subject.create(), libos.open('/file', { write: true }), libos.open('/file')]
      const tokens = [subject.push(one, 'aaaa'), subject.pushAt(two, 'bb', 1)]
      const pop = libos.pop(reader, 100)
      tokens.push(subject.pushAt(one, 'cccccc', 4))
      expect(await subject.poppedText(pop)).toBe('abba')
      for (const token of tokens) await subject.done(token, 'push')
    })
  },
}
