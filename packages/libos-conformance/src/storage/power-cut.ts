import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'

/** Needs a fixture that can take the power away. What may be lost is not looked at, what may not be is. */
export const powerCut: Section = {
  name: 'power cut',
  cases(define) {
    for (const level of ['flushed', 'fua'] as const) {
      define(
        `a push that completed as ${level} is there, with the name of its file`,
        async (subject) => {
          subject.libos.mkdir('/d')
          const qd = subject.create('/d/file', { durability: level })
          for (let at = 0; at < 60_000; at += 6000) {
            await subject.done(subject.push(qd, pattern(6000, 2, at)), 'push')
          }
          await subject.powerCut()
          const again = subject.libos.open('/d/file')
          expect(subject.libos.status(again).size).toBe(60_000)
          await subject.expectPattern(again, 2, 0, 60_000)
        },
        { needs: 'powerCut' },
      )
    }

    define(
      'a sync covers buffered pushes and control calls before it',
      async (subject) => {
        const { libos } = subject
        await subject.file('/old', 'old')
        const qd = subject.create('/a', { durability: 'buffered' })
        await subject.write(qd, pattern(30_000))
        libos.mkdir('/d')
        libos.rename('/a', '/d/b')
        libos.unlink('/old')
        await subject.sync(qd)
        libos.mkdir('/perhaps')
        await subject.powerCut()
        expect(subject.libos.readdir('/').filter((name) => name !== 'perhaps')).toEqual(['d'])
        await subject.expectPattern(subject.libos.open('/d/b'), 1, 0, 30_000)
      },
      { needs: 'powerCut' },
    )

    define(
      'a rename over a file leaves the old one or the new one',
      async (subject) => {
        const { libos } = subject
        const old = subject.create('/config', { durability: 'flushed' })
        await subject.write(old, 'old content')
        const next = subject.create('/config.new', { durability: 'flushed' })
        await subject.write(next, 'new content')
        libos.rename('/config.new', '/config')
        await subject.powerCut()
        expect(['old content', 'new content']).toContain(await subject.textAt('/config'))
      },
      { needs: 'powerCut' },
    )

    define(
      'control calls become durable in their order',
      async (subject) => {
        const { libos } = subject
        for (let i = 0; i < 10; i++) libos.mkdir(`/d${i}`)
        await subject.powerCut()
        const names = subject.libos.readdir('/')
        expect(names).toEqual(Array.from({ length: names.length }, (_, i) => `d${i}`))
        subject.libos.mkdir('/usable')
      },
      { needs: 'powerCut' },
    )
  },
}
