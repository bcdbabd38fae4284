import { describe, it, type TestContext } from 'vitest'
import { accounting } from './accounting.ts'
import { binding } from './binding.ts'
import { closing } from './closing.ts'
import { connecting } from './connecting.ts'
import { datagrams } from './datagrams.ts'
import { fastFace } from './fast-face.ts'
import type { NetworkFeature, NetworkLibosConformance } from './fixture.ts'
import { groups } from './groups.ts'
import { options } from './options.ts'
import { Pair } from './pair.ts'
import type { Section } from './section.ts'
import { synchronousWait } from './synchronous-wait.ts'

/** The datagram half of the `NetworkLibOS` contract. */
const networkSections: readonly Section[] = [
  binding,
  connecting,
  datagrams,
  options,
  groups,
  fastFace,
  closing,
  accounting,
  synchronousWait,
]

/** Title of every case, as a test report shows it: `binding > is undone by a failed bind`. */
export function networkTitles(): string[] {
  const titles: string[] = []
  for (const { name, cases } of networkSections) cases((title) => titles.push(`${name} > ${title}`))
  return titles
}

/** Declares the suite for one implementation. Call it in a test file. */
export function networkLibosConformance(suite: NetworkLibosConformance): void {
  describe(`network libOS: ${suite.name}`, () => {
    for (const { name, cases } of networkSections) {
      describe(name, () => {
        cases((title, body, needs) => {
          it(title, (context) => withPair(suite, context, body, needs))
        })
      })
    }
  })
}

/** Runs `body` with a fresh pair, and checks after it that nothing leaked. */
async function withPair(
  suite: NetworkLibosConformance,
  context: TestContext,
  body: (pair: Pair) => Promise<void> | void,
  needs: NetworkFeature | undefined,
): Promise<void> {
  const reason = suite.skip ?? (needs === undefined ? undefined : suite.unsupported?.[needs])
  if (reason !== undefined) context.skip(reason)
  const pair = new Pair(suite, await suite.setup())
  try {
    await body(pair)
  } catch (error) {
    await pair.finish().catch(() => {})
    throw error
  }
  await pair.finish()
}
