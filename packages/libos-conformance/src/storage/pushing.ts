import { sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'

export const pushing: Section = {
  name: 'pushing and popping',
  cases(define) {
    define('brings back what was pushed, of any length around frames and blocks', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      let end = 0
      for (const length of [1, 2, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097, 10_000, 16_384]) {
        expect((await subject.done(subject.push(qd, pattern(length, 3, end)), 'push')).bytes).toBe(length)
        end += length
        expect(libos.status(qd).size).toBe(end)
      }
      await subject.expectPattern(qd, 3, 0, end)
    })

    define('a push goes to the cursor, which moves behind it', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'one ')
      await subject.write(qd, 'two')
      expect(libos.seek(qd, 0, 'cursor')).toBe(7)
      libos.seek(qd, 1)
      await subject.write(qd, 'NE')
      expect(await subject.text(qd)).toBe('oNE two')
    })

    define('pushAt writes over, within and behind, and leaves the cursor', async (subject) => {
      const qd = subject.create()
      await subject.write(qd, 'aaaaaaaa')
      await subject.writeAt(qd, 'bb', 3)
      await subject.writeAt(qd, 'cccc', 6)
      expect(await subject.text(qd)).toBe('aaabbacccc')
      expect(subject.libos.seek(qd, 0, 'cursor')).toBe(8)
    })

    define('append goes to the end, wherever the cursor stands', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'begin')
      const qd = libos.open('/file', { write: true, append: true })
      expect(await subject.poppedText(libos.pop(qd, 2))).toBe('be')
      await subject.write(qd, ' end')
      expect(libos.seek(qd, 0, 'cursor')).toBe(9)
      libos.seek(qd, 0)
      await subject.write(qd, '!')
      await subject.writeAt(qd, 'B', 0)
      expect(await subject.text(qd)).toBe('Begin end!')
    })

    define('arrays of many segments of odd lengths are one push', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      const whole = libos.sgaAlloc(12_345)
      expect(whole.segments.length).toBeGreaterThan(0)
      let at = 0
      for (const { address, length } of whole.segments) {
        pool.copyIn(address, pattern(length, 5, at))
        at += length
      }
      const token = libos.pushAt(qd, whole, 777)
      whole.free()
      expect((await subject.done(token, 'push')).bytes).toBe(12_345)
      expect(await subject.read(qd, 777, 12_345)).toEqual(pattern(12_345, 5))
      expect(await subject.read(qd, 0, 777)).toEqual(new Uint8Array(777))
    })

    define('a push of nothing changes nothing', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'abc')
      const before = libos.status(qd)
      expect((await subject.done(subject.push(qd, ''), 'push')).bytes).toBe(0)
      expect((await subject.done(subject.pushAt(qd, '', 100), 'push')).bytes).toBe(0)
      expect(libos.status(qd)).toEqual(before)
      expect(libos.seek(qd, 0, 'cursor')).toBe(3)
    })

    define('an array may be freed as soon as it was pushed', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      const tokens = []
      for (let i = 0; i < 32; i++) {
        const sga = sgaFromText(pool, `${i};`.padStart(4, '0'))
        tokens.push(libos.push(qd, sga))
        sga.free()
        // Whoever takes the frame next, writes to it.
        const frame = pool.allocate()
        if (frame >= 0) {
          pool.bytes.fill(0xee, pool.address(frame), pool.address(frame) + 64)
          pool.release(frame)
        }
      }
      for (const token of tokens) await subject.done(token, 'push')
      const expected = Array.from({ length: 32 }, (_, i) => `${i};`.padStart(4, '0')).join('')
      expect(await subject.text(qd)).toBe(expected)
    })

    define('one array may be pushed several times', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      const sga = sgaFromText(pool, 'again ')
      const tokens = [libos.push(qd, sga), libos.push(qd, sga), libos.pushAt(qd, sga, 12)]
      sga.free()
      for (const token of tokens) expect((await subject.done(token, 'push')).bytes).toBe(6)
      expect(await subject.text(qd)).toBe('again again again ')
    })

    define('pops run from the cursor to the end, and then give empty arrays', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'abcdefgh')
      const qd = libos.open('/file')
      expect(await subject.poppedText(libos.pop(qd, 3))).toBe('abc')
      expect(await subject.poppedText(libos.pop(qd, 3))).toBe('def')
      expect(await subject.poppedText(libos.pop(qd, 3))).toBe('gh')
      for (let i = 0; i < 3; i++) {
        const { sga, source } = await subject.done(libos.pop(qd, 3), 'pop')
        expect(sga.segments).toEqual([])
        expect(source).toBeUndefined()
        sga.free()
      }
      expect(libos.seek(qd, 0, 'cursor')).toBe(8)
    })

    define('what is pushed behind the end is there for the next pop', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const reader = libos.open('/file')
      expect(await subject.poppedText(libos.pop(reader))).toBe('')
      await subject.write(qd, 'late')
      expect(await subject.poppedText(libos.pop(reader))).toBe('late')
    })

    define('a pop without a limit gives a frame of bytes, one with a limit as many as it says', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      await subject.write(qd, pattern(60_000))
      const { sga } = await subject.done(libos.popAt(qd, 0), 'pop')
      expect(sga.segments).toHaveLength(1)
      expect(sga.byteLength).toBe(Math.min(60_000, pool.frameSize - pool.headroom - pool.window.tailroom))
      sga.free()
      const long = await subject.popped(libos.popAt(qd, 1, 50_000))
      expect(long).toEqual(pattern(50_000, 1, 1))
    })

    define('popAt leaves the cursor, and behind the end it is empty', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'abcdef')
      expect(await subject.poppedText(libos.popAt(qd, 2, 3))).toBe('cde')
      expect(await subject.poppedText(libos.popAt(qd, 5, 100))).toBe('f')
      expect(await subject.poppedText(libos.popAt(qd, 6, 100))).toBe('')
      expect(await subject.poppedText(libos.popAt(qd, 1_000_000, 1))).toBe('')
      expect(libos.seek(qd, 0, 'cursor')).toBe(6)
    })

    define('what was popped outlives the file', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'still mine')
      const qd = libos.open('/file')
      const { sga } = await subject.done(libos.pop(qd), 'pop')
      libos.close(qd)
      libos.unlink('/file')
      await subject.file('/file', 'another one')
      expect(new TextDecoder().decode(sga.toBytes())).toBe('still mine')
      sga.free()
    })

    define('what was popped can be written to, and pushed', async (subject) => {
      const { libos, pool } = subject
      await subject.file('/from', pattern(9000))
      const [from, to] = [libos.open('/from'), subject.create('/to')]
      const { sga } = await subject.done(libos.pop(from, 9000), 'pop')
      pool.bytes[sga.segments[0].address] = 99
      const token = libos.push(to, sga)
      sga.free()
      await subject.done(token, 'push')
      const expected = pattern(9000)
      expected[0] = 99
      expect(await subject.content(to)).toEqual(expected)
      expect(await subject.content(from)).toEqual(pattern(9000))
    })

    define('megabytes, in order', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const total = 4 << 20
      const piece = 16_384
      for (let at = 0; at < total; at += piece) await subject.done(subject.push(qd, pattern(piece, 9, at)), 'push')
      await subject.sync(qd)
      expect(libos.status(qd).size).toBe(total)
      await subject.expectPattern(qd, 9, 0, total)
    })
  },
}
