import { describe, it, type TestContext } from 'vitest'
import { accounting } from './accounting.ts'
import { backpressure } from './backpressure.ts'
import { closeScenarios } from './close-scenarios.ts'
import { closing } from './closing.ts'
import { cursor } from './cursor.ts'
import { directories } from './directories.ts'
import { durability } from './durability.ts'
import type { StorageLibosConformance } from './fixture.ts'
import { friendlyFace } from './friendly-face.ts'
import { full } from './full.ts'
import { misuse } from './misuse.ts'
import { opening } from './opening.ts'
import { paths } from './paths.ts'
import { pdpix } from './pdpix.ts'
import { powerCut } from './power-cut.ts'
import { pushing } from './pushing.ts'
import { renaming } from './renaming.ts'
import type { CaseOptions, Section } from './section.ts'
import { shape } from './shape.ts'
import { Subject } from './subject.ts'
import { unlinking } from './unlinking.ts'
import { waits } from './waits.ts'
import { writers } from './writers.ts'

/** The `StorageLibOS` contract. */
const storageSections: readonly Section[] = [
  opening,
  pushing,
  cursor,
  shape,
  durability,
  powerCut,
  directories,
  renaming,
  unlinking,
  paths,
  closing,
  closeScenarios,
  writers,
  waits,
  pdpix,
  misuse,
  backpressure,
  full,
  accounting,
  friendlyFace,
]

/** Title of every case, as a test report shows it: `renaming > to itself does nothing`. */
export function storageTitles(): string[] {
  const titles: string[] = []
  for (const { name, cases } of storageSections) cases((title) => titles.push(`${name} > ${title}`))
  return titles
}

/** Declares the suite for one implementation. Call it in a test file. */
export function storageLibosConformance(suite: StorageLibosConformance): void {
  describe(`storage libOS: ${suite.name}`, () => {
    for (const { name, cases } of storageSections) {
      describe(name, () => {
        cases((title, body, options = {}) => {
          it(title, (context) => withSubject(suite, context, body, options))
        })
      })
    }
  })
}

/** Runs `body` with a fresh volume, and checks after it that nothing leaked. */
async function withSubject(
  suite: StorageLibosConformance,
  context: TestContext,
  body: (subject: Subject) => Promise<void> | void,
  { needs, setup = {} }: CaseOptions,
): Promise<void> {
  const reason = suite.skip ?? (needs === undefined ? undefined : suite.unsupported?.[needs])
  if (reason !== undefined) context.skip(reason)
  const subject = new Subject(await suite.setup(setup))
  try {
    await body(subject)
  } catch (error) {
    await subject.finish().catch(() => {})
    throw error
  }
  await subject.finish()
}
