import { LinuxSubject } from '../linux/linux-subject.ts'
import { OurSubject } from '../ours/our-subject.ts'
import { observe } from './observe.ts'
import { randomScript } from './random-script.ts'

const SETUP = {
  family: 4 as const,
  mtu: 1500,
  // The kernel answers segments that are out of place only twice a second otherwise.
  sysctls: [['net.ipv4.tcp_invalid_ratelimit', '0']] as const,
  options: {},
}
const TOGETHER = 24
/** Lines that are shown of what each did from the first difference on. */
const SHOWN = 4

/** A random script that the two did not do the same on. */
export interface Disagreement {
  readonly seed: number
  /** What happened before, on both. */
  readonly before: readonly string[]
  readonly ours: readonly string[]
  readonly linux: readonly string[]
}

/** Runs the scripts of `count` seeds on both. What disagrees is run again, alone, since Linux's times are real. */
export async function compareRandom(first: number, count: number): Promise<Disagreement[]> {
  const found: Disagreement[] = []
  for (let at = first; at < first + count; at += TOGETHER) {
    const seeds = Array.from({ length: Math.min(TOGETHER, first + count - at) }, (_, i) => at + i)
    for (const candidate of await compareSome(seeds)) found.push(...(await compareSome([candidate.seed])))
  }
  return found
}

async function compareSome(seeds: readonly number[]): Promise<Disagreement[]> {
  const subjects = seeds.map(() => new LinuxSubject(SETUP))
  const theirs = await Promise.all(seeds.map((seed, i) => observe(randomScript(seed), subjects[i])))
  for (const subject of subjects) subject.dispose()
  const found: Disagreement[] = []
  for (const [i, seed] of seeds.entries()) {
    const ours = await observe(randomScript(seed), await OurSubject.open(SETUP))
    const linux = theirs[i]
    const at = ours.findIndex((line, j) => line !== linux[j])
    if (at < 0 && ours.length === linux.length) continue
    const from = at < 0 ? ours.length : at
    found.push({
      seed,
      before: ours.slice(0, from),
      ours: ours.slice(from, from + SHOWN),
      linux: linux.slice(from, from + SHOWN),
    })
  }
  return found
}
