import type { QueueToken } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'
import type { Subject } from './subject.ts'

/**
 * Demikernel's six: who waits for a push or a pop while its file is closed, at once, or in order and waited for before or behind. An
 * orderly close finishes both.
 */
export const closeScenarios: Section = {
  name: 'waiting while closing',
  cases(define) {
    for (const operation of ['push', 'pop'] as const) {
      const start = async (subject: Subject) => {
        await subject.file('/file', 'content')
        const qd = subject.libos.open('/file', { write: true, durability: 'flushed' })
        return { qd, token: operation === 'push' ? subject.push(qd, 'CON') : subject.libos.pop(qd, 3) }
      }
      const ended = async (subject: Subject, token: QueueToken) => {
        if (operation === 'push') await subject.done(token, 'push')
        else expect(await subject.poppedText(token)).toBe('con')
      }

      define(`a ${operation} after close`, async (subject) => {
        const { qd, token } = await start(subject)
        subject.libos.close(qd)
        const completion = await subject.runtime.completion(token)
        // It may have been quicker.
        if (completion.kind === 'pop') completion.sga.free()
        if (completion.kind !== operation)
          expect(completion).toMatchObject({ kind: 'failed', code: 'ECANCELED', token })
        expect(subject.runtime.outstanding).toBe(0)
      })

      define(`a ${operation} after an orderly close that was waited for`, async (subject) => {
        const { qd, token } = await start(subject)
        await subject.done(subject.libos.asyncClose(qd), 'close')
        await ended(subject, token)
        expect(subject.runtime.outstanding).toBe(0)
      })

      define(`a ${operation} while an orderly close is pending`, async (subject) => {
        const { qd, token } = await start(subject)
        const close = subject.libos.asyncClose(qd)
        await ended(subject, token)
        await subject.done(close, 'close')
        expect(subject.runtime.outstanding).toBe(0)
      })
    }
  },
}
