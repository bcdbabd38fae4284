import { retryAfterSync } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'
import { code } from './subject.ts'

const BYTES = 8 << 20
const small = { needs: 'smallVolume', setup: { bytes: BYTES } } as const

export const full: Section = {
  name: 'a full volume',
  cases(define) {
    define(
      'a push that has no room fails with ENOSPC, and what was there is well',
      async (subject) => {
        const { libos } = subject
        await subject.file('/before', pattern(10_000, 7))
        const qd = subject.create()
        let failed = 0
        for (let i = 0; i < (2 * BYTES) / 16_384 && failed === 0; i++) {
          const position = i * 16_384
          const completion = await subject.runtime.completion(
            subject.pushAt(qd, pattern(16_384, 1, position), position),
          )
          if (completion.kind === 'failed') {
            expect(completion.code).toBe('ENOSPC')
            expect(libos.status(qd).size).toBeLessThanOrEqual(position + 16_384)
            failed++
            await subject.expectPattern(qd, 1, 0, position)
          }
        }
        expect(failed).toBe(1)
        await subject.expectPattern(libos.open('/before'), 7, 0, 10_000)
        await subject.sync(libos.open('/before'))
      },
      small,
    )

    define(
      'room that is given back can be used again',
      async (subject) => {
        const { libos } = subject
        for (let round = 0; round < 4; round++) {
          const qd = subject.create(`/file${round}`)
          await subject.write(qd, pattern(BYTES / 2, round))
          await subject.expectPattern(qd, round, BYTES / 4, 10_000)
          libos.unlink(`/file${round}`)
          libos.close(qd)
          await subject.done(libos.syncVolume(), 'push')
        }
      },
      small,
    )

    define(
      'a full volume can be emptied',
      async (subject) => {
        const { libos } = subject
        let files = 0
        for (; files < 100; files++) {
          const qd = subject.create(`/file${files}`)
          const completion = await subject.runtime.completion(subject.push(qd, pattern(200_000, files)))
          libos.close(qd)
          if (completion.kind === 'failed') break
        }
        expect(files).toBeGreaterThan(5)
        expect(files).toBeLessThan(100)
        for (const name of libos.readdir('/')) libos.unlink(`/${name}`)
        await subject.done(libos.syncVolume(), 'push')
        expect(libos.volume().freeBytes).toBeGreaterThan(BYTES / 2)
        await subject.file('/again', pattern(BYTES / 4))
      },
      small,
    )

    define(
      'names without end are refused with ENOSPC at some point, and none is half there',
      async (subject) => {
        const { libos } = subject
        const names: string[] = []
        let error: unknown
        for (let i = 0; i < 100_000 && error === undefined; i++) {
          const name = `${i}`.padStart(200, 'n')
          await retryAfterSync(libos, () => libos.mkdir(`/${name}`)).then(
            () => names.push(name),
            (thrown) => {
              error = thrown
            },
          )
        }
        expect(error).toEqual(code('ENOSPC'))
        expect(libos.readdir('/')).toHaveLength(names.length)
        libos.rmdir(`/${names[0]}`)
      },
      { needs: 'smallVolume', setup: { bytes: 1 << 20 } },
    )
  },
}
