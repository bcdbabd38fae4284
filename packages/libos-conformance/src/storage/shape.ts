import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'

const MIB = 1 << 20

export const shape: Section = {
  name: 'holes and truncation',
  cases(define) {
    define('holes read as zeroes', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.writeAt(qd, 'end', 100_000)
      expect(libos.status(qd).size).toBe(100_003)
      expect(await subject.read(qd, 0, 100_000)).toEqual(new Uint8Array(100_000))
      expect(await subject.poppedText(libos.popAt(qd, 99_999, 10))).toBe('\0end')
    })

    define(
      'holes hold no media',
      async (subject) => {
        const { libos } = subject
        const qd = subject.create()
        await subject.writeAt(qd, 'far', 8 * MIB)
        await subject.sync(qd)
        expect(libos.status(qd).size).toBe(8 * MIB + 3)
        expect(libos.status(qd).allocated).toBeLessThan(MIB)
        expect(libos.status(qd).allocated).toBeGreaterThan(0)
      },
      { needs: 'sparse' },
    )

    define('truncate cuts, and what comes back is zeroes', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, pattern(20_000))
      for (const length of [12_345, 4096, 4095, 1, 0]) {
        expect((await subject.done(libos.truncate(qd, length), 'push')).bytes).toBe(0)
        expect(libos.status(qd).size).toBe(length)
        expect(await subject.read(qd, 0, 20_000)).toEqual(pattern(length))
        await subject.done(libos.truncate(qd, 20_000), 'push')
        const expected = new Uint8Array(20_000)
        expected.set(pattern(length))
        expect(await subject.read(qd, 0, 30_000)).toEqual(expected)
      }
    })

    define('truncate makes longer, with a hole', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'abc')
      const token = libos.truncate(qd, 50_000)
      expect(libos.status(qd).size).toBe(50_000)
      await subject.done(token, 'push')
      const expected = new Uint8Array(50_000)
      expected.set([97, 98, 99])
      expect(await subject.content(qd)).toEqual(expected)
      expect(libos.seek(qd, 0, 'cursor')).toBe(3)
    })

    define('truncate takes its turn among pushes and pops', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const first = subject.push(qd, 'abcdefgh')
      const cut = libos.truncate(qd, 3)
      const late = subject.pushAt(qd, 'X', 5)
      const pop = libos.popAt(qd, 0, 100)
      await subject.done(first, 'push')
      await subject.done(cut, 'push')
      await subject.done(late, 'push')
      expect(await subject.poppedText(pop)).toBe('abc\0\0X')
    })

    define(
      'truncate gives the media back',
      async (subject) => {
        const { libos } = subject
        const qd = subject.create()
        await subject.write(qd, pattern(MIB))
        await subject.sync(qd)
        expect(libos.status(qd).allocated).toBeGreaterThanOrEqual(MIB)
        await subject.done(libos.truncate(qd, 10), 'push')
        await subject.sync(qd)
        expect(libos.status(qd).allocated).toBeLessThan(MIB / 2)
      },
      { needs: 'sparse' },
    )

    define('a punched hole reads as zeroes, to the byte', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      for (const [position, length] of [
        [0, 1],
        [5000, 10_000],
        [4096, 4096],
        [8191, 2],
        [12_288, 7712],
      ]) {
        await subject.writeAt(qd, pattern(20_000), 0)
        expect((await subject.done(libos.punchHole(qd, position, length), 'push')).bytes).toBe(0)
        const expected = pattern(20_000)
        expected.fill(0, position, position + length)
        expect(await subject.content(qd), `${length} bytes at ${position}`).toEqual(expected)
      }
    })

    define('a hole ends at the end of the file, and one of nothing does nothing', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, pattern(6000))
      await subject.done(libos.punchHole(qd, 5000, 1_000_000), 'push')
      await subject.done(libos.punchHole(qd, 6000, 10), 'push')
      await subject.done(libos.punchHole(qd, 100_000, 10), 'push')
      await subject.done(libos.punchHole(qd, 0, 0), 'push')
      const expected = pattern(6000)
      expected.fill(0, 5000)
      expect(libos.status(qd).size).toBe(6000)
      expect(await subject.content(qd)).toEqual(expected)
    })

    define(
      'a punched hole gives its media back, and can be written again',
      async (subject) => {
        const { libos } = subject
        const qd = subject.create()
        await subject.write(qd, pattern(2 * MIB))
        await subject.sync(qd)
        const before = libos.status(qd).allocated
        await subject.done(libos.punchHole(qd, MIB / 2, MIB), 'push')
        await subject.sync(qd)
        expect(libos.status(qd).allocated).toBeLessThanOrEqual(before - MIB / 2)
        await subject.writeAt(qd, pattern(1000, 1, MIB), MIB)
        await subject.expectPattern(qd, 1, MIB, 1000)
        await subject.expectPattern(qd, 1, 2 * MIB - 1000, 1000)
        expect(await subject.read(qd, MIB + 1000, 5000)).toEqual(new Uint8Array(5000))
      },
      { needs: 'sparse' },
    )
  },
}
