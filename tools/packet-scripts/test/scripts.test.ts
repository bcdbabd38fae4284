import { describe, test } from 'vitest'
import { NO_OFFLOADS, OurSubject } from '../src/ours/our-subject.ts'
import { jobsOf } from '../src/run/run-all.ts'
import { runScript } from '../src/run/run-script.ts'
import { findScripts } from '../src/scripts.ts'

/** Every script against our stack, on a virtual clock. `pnpm scripts --kernel` runs them against Linux. */
const jobs = jobsOf(findScripts(), 'ours')

/** The variations run every job with PARAKERNEL_LONG=1, and otherwise one of `every`: the first run has all of them. */
const some = (every: number, chosen = jobs) =>
  process.env['PARAKERNEL_LONG'] === '1' ? chosen : chosen.filter((_, i) => i % every === 0)

describe.each([
  ['on a device that sums and cuts', jobs, {}, {}],
  ['on a device without offloads', some(2), {}, NO_OFFLOADS],
  [
    'with IPv6 sockets over IPv4',
    some(
      3,
      jobs.filter(({ family }) => family === 4),
    ),
    { sockets: 6 as const },
    {},
  ],
])('our stack %s', (_, chosen, sockets, offloads) => {
  for (const { script, family } of chosen) {
    const name = script.file.replace(/^scripts\//, '').replace(/\.pkt$/, '')
    test(`${name}, IPv${family}: ${script.settings.rule}`, async () => {
      await runScript(script, family, await OurSubject.open({ family, ...script.settings, ...sockets }, offloads))
    })
  }
})
