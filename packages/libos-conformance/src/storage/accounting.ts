import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'

export const accounting: Section = {
  name: 'accounting',
  cases(define) {
    define('counts operations and bytes, and they add up', async (subject) => {
      const { libos } = subject
      const before = subject.counters()
      const qd = subject.create()
      for (let i = 0; i < 7; i++) await subject.done(subject.push(qd, pattern(100)), 'push')
      await subject.done(subject.pushAt(qd, pattern(50), 0), 'push')
      for (let i = 0; i < 3; i++) await subject.popped(libos.popAt(qd, 0, 200))
      await subject.popped(libos.popAt(qd, 1000, 200))
      await subject.sync(qd)
      await subject.done(libos.truncate(qd, 10), 'push')
      await subject.done(libos.punchHole(qd, 0, 5), 'push')
      libos.close(qd)
      const reader = libos.open('/file')
      await subject.fails(subject.push(reader, 'x'), 'EBADF')
      await subject.done(libos.asyncClose(reader), 'close')
      const after = subject.counters()
      const delta = Object.fromEntries(
        Object.entries(after).map(([name, value]) => [name, value - before[name as 'opens']]),
      )
      expect(delta).toMatchObject({
        opens: 2,
        closes: 2,
        pushes: 8,
        pops: 4,
        syncs: 1,
        reshapes: 2,
        bytesPushed: 750,
        bytesPopped: 600,
        failed: 1,
      })
      expect(delta.bytesCopied).toBeGreaterThanOrEqual(0)
    })

    define('counts what was cancelled or closed and took effect all the same', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const tokens = Array.from({ length: 6 }, () => subject.push(qd, 'abc'))
      for (const token of tokens) runtime.cancel(token)
      libos.close(qd)
      for (const token of tokens) await runtime.completion(token)
      const again = libos.open('/file')
      await subject.sync(again)
      expect(subject.counters()).toMatchObject({ pushes: 6, bytesPushed: 18, failed: 0 })
    })

    define('every statistic is a number, and none is below 0', async (subject) => {
      await subject.file('/file', pattern(10_000))
      const groups = Object.entries(subject.libos.statistics())
      expect(groups.length).toBeGreaterThan(1)
      for (const [group, counters] of groups) {
        for (const [name, value] of Object.entries(counters)) {
          expect(value, `${group}.${name}`).toBeTypeOf('number')
          expect(value, `${group}.${name}`).toBeGreaterThanOrEqual(0)
        }
      }
    })

    define('keeps no token and drops no completion', async (subject) => {
      const { libos, runtime } = subject
      const strays = runtime.strays
      const qd = subject.create()
      const tokens = [subject.push(qd, 'x'), libos.popAt(qd, 0), libos.sync(qd), libos.truncate(qd, 4)]
      for (const token of tokens) {
        const completion = await runtime.completion(token)
        if (completion.kind === 'pop') completion.sga.free()
      }
      const more = [subject.push(qd, 'x'), libos.popAt(qd, 0)]
      libos.close(qd)
      for (const token of more) {
        const completion = await runtime.completion(token)
        if (completion.kind === 'pop') completion.sga.free()
      }
      await subject.done(libos.syncVolume(), 'push')
      expect(runtime.outstanding).toBe(0)
      expect(runtime.strays).toBe(strays)
    })
  },
}
