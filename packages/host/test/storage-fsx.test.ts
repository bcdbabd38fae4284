import { runFsx } from '@parakernel/libos-conformance'
import type { StorageLibOS } from '@parakernel/queue'
import { expect, it } from 'vitest'
import { hostVolume, withCalls } from './helpers/host-volume.ts'

const oracle = () => hostVolume()

it('agrees with itself over random operations', async () => {
  const report = await runFsx({ seed: 1, operations: 5000, subject: oracle, oracle })
  expect(report.operations).toBe(5000)
  expect(report.reopened).toBeGreaterThan(0)
  expect(report.bytesCompared).toBeGreaterThan(100_000)
  expect(Object.keys(report.kinds)).toHaveLength(21)
})

const planted: readonly [string, (libos: StorageLibOS) => StorageLibOS][] = [
  [
    'a hole that is a byte short',
    (libos) =>
      withCalls(libos, { punchHole: (qd, position, length) => libos.punchHole(qd, position, Math.max(0, length - 1)) }),
  ],
  [
    'a truncation that is not made longer',
    (libos) =>
      withCalls(libos, { truncate: (qd, length) => libos.truncate(qd, Math.min(length, libos.status(qd).size)) }),
  ],
  [
    'a push at a position that moves the cursor',
    (libos) =>
      withCalls(libos, {
        pushAt(qd, sga, position) {
          const token = libos.pushAt(qd, sga, position)
          libos.seek(qd, position + sga.byteLength)
          return token
        },
      }),
  ],
  [
    'a rename that does not replace',
    (libos) =>
      withCalls(libos, {
        rename(from, to) {
          if (from !== to && libos.stat(from).kind === 'file' && exists(libos, to)) libos.unlink(from)
          else libos.rename(from, to)
        },
      }),
  ],
]

it.each(planted)('finds %s, and shows it in a few operations', async (_, plant) => {
  const error = await runFsx({ seed: 7, operations: 5000, subject: () => hostVolume(plant), oracle }).catch(
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(Error)
  expect(error.message).toContain('seed 7')
  const steps = error.message.split('\n').filter((line: string) => /^ {2}\d+\. /.test(line))
  expect(steps.length).toBeGreaterThan(0)
  expect(steps.length).toBeLessThanOrEqual(6)
})

function exists(libos: StorageLibOS, path: string): boolean {
  try {
    return libos.stat(path).kind === 'file'
  } catch {
    return false
  }
}
