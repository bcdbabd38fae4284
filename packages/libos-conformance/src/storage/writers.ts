import type { QueueToken } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'

export const writers: Section = {
  name: 'several writers',
  cases(define) {
    define('appends of many descriptors neither mix nor get lost', async (subject) => {
      const { libos } = subject
      libos.close(subject.create())
      const length = 3000
      const writers = Array.from({ length: 8 }, () => libos.open('/file', { write: true, append: true }))
      const tokens: QueueToken[] = []
      for (let round = 0; round < 6; round++) {
        for (const [i, qd] of writers.entries()) {
          tokens.push(subject.push(qd, new Uint8Array(length).fill(round * writers.length + i)))
        }
        // Some rounds are under way together, as far as the pool has frames.
        if (round % 2 === 1) for (const token of tokens.splice(0)) await subject.done(token, 'push')
      }
      const bytes = await subject.content(writers[0])
      expect(bytes.byteLength).toBe(48 * length)
      for (let record = 0; record < 48; record++) {
        const piece = bytes.subarray(record * length, (record + 1) * length)
        expect(
          piece.every((byte) => byte === record),
          `record ${record}`,
        ).toBe(true)
      }
    })

    define('overlapping pushes: the last one issued is there, whole', async (subject) => {
      const { libos } = subject
      const one = subject.create()
      const two = libos.open('/file', { write: true })
      const tokens = Array.from({ length: 20 }, (_, i) =>
        subject.pushAt(i % 2 === 0 ? one : two, new Uint8Array(5000).fill(i), i * 100),
      )
      for (const token of tokens) await subject.done(token, 'push')
      const bytes = await subject.content(one)
      expect(bytes.byteLength).toBe(1900 + 5000)
      for (let at = 0; at < bytes.byteLength; at += 50)
        expect(bytes[at], `byte ${at}`).toBe(Math.min(19, Math.floor(at / 100)))
    })

    define('a pop sees a push wholly or not at all', async (subject) => {
      const { libos } = subject
      const [writer, reader] = [subject.create(), libos.open('/file')]
      await subject.write(writer, new Uint8Array(8000).fill(255))
      const checks: Promise<void>[] = []
      for (let i = 0; i < 30; i++) {
        const push = subject.pushAt(writer, new Uint8Array(8000).fill(i), 0)
        const pop = libos.popAt(reader, 0, 8000)
        const later = subject.pushAt(writer, new Uint8Array(8000).fill(100 + i), 0)
        checks.push(
          (async () => {
            const bytes = await subject.popped(pop)
            const [first] = bytes
            expect([i, 100 + i]).toContain(first)
            expect(bytes.findIndex((byte) => byte !== first)).toBe(-1)
          })(),
        )
        await subject.done(push, 'push')
        await subject.done(later, 'push')
      }
      await Promise.all(checks)
    })

    define('files do not wait for each other', async (subject) => {
      const { libos } = subject
      const files = Array.from({ length: 40 }, (_, i) => subject.create(`/file${i}`))
      const tokens = files.map((qd, i) => subject.push(qd, `content of ${i}`))
      const pops = files.map((qd) => libos.popAt(qd, 0))
      for (const token of tokens) await subject.done(token, 'push')
      for (const [i, pop] of pops.entries()) expect(await subject.poppedText(pop)).toBe(`content of ${i}`)
    })
  },
}
