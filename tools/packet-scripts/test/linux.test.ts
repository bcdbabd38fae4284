import { expect, test } from 'vitest'
import { linuxMissing } from '../src/linux/availability.ts'
import { LinuxSubject } from '../src/linux/linux-subject.ts'
import { jobsOf, runInBatches } from '../src/run/run-all.ts'
import { findScripts } from '../src/scripts.ts'

/** The runner against the kernel, on a few short scripts; all of them are for `pnpm scripts --kernel`. */
const SHORT = [
  'handshake/passive-open.pkt',
  'handshake/active-open.pkt',
  'close/simultaneous.pkt',
  'udp/order.pkt',
  'icmp/echo.pkt',
]

test('scripts hold against Linux', async (ctx) => {
  const missing = linuxMissing()
  if (missing !== undefined) return ctx.skip(`needs ${missing}`)
  const jobs = jobsOf(findScripts(SHORT), 'linux')
  expect(jobs).toHaveLength(2 * SHORT.length)
  const results = await runInBatches(jobs, (setup) => new LinuxSubject(setup), jobs.length, 4)
  expect(results.filter(({ failure }) => failure !== undefined).map(({ failure }) => String(failure))).toEqual([])
})
