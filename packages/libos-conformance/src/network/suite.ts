import { describe, it, type TestContext } from 'vitest'
import { accounting } from './accounting.ts'
import { binding } from './binding.ts'
import { closing } from './closing.ts'
import { connecting } from './connecting.ts'
import { datagramSocket } from './datagram-socket.ts'
import { datagrams } from './datagrams.ts'
import { fastFace } from './fast-face.ts'
import type { NetworkFeature, NetworkLibosConformance } from './fixture.ts'
import { groups } from './groups.ts'
import { ipv6 } from './ipv6.ts'
import { options } from './options.ts'
import { Pair } from './pair.ts'
import { pdpix } from './pdpix.ts'
import type { Section } from './section.ts'
import { backpressure } from './streams/backpressure.ts'
import { bytes } from './streams/bytes.ts'
import { closeScenarios } from './streams/close-scenarios.ts'
import { closingStreams } from './streams/closing.ts'
import { crowd } from './streams/crowd.ts'
import { streamFastFace } from './streams/fast-face.ts'
import { friendlyFace } from './streams/friendly-face.ts'
import { halfClose } from './streams/half-close.ts'
import { ipv6Streams } from './streams/ipv6-streams.ts'
import { listening } from './streams/listening.ts'
import { listing } from './streams/listing.ts'
import { misuse } from './streams/misuse.ts'
import { opening } from './streams/opening.ts'
import { streamOptions } from './streams/options.ts'
import { webStreams } from './streams/web-streams.ts'
import { synchronousWait } from './synchronous-wait.ts'

/** The `NetworkLibOS` contract: datagrams, streams, and what both have. */
const networkSections: readonly Section[] = [
  binding,
  connecting,
  datagrams,
  datagramSocket,
  options,
  groups,
  fastFace,
  closing,
  accounting,
  synchronousWait,
  ipv6,
  listening,
  opening,
  bytes,
  backpressure,
  halfClose,
  closingStreams,
  closeScenarios,
  streamOptions,
  streamFastFace,
  listing,
  misuse,
  crowd,
  ipv6Streams,
  friendlyFace,
  webStreams,
  pdpix,
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
    for (const { name, cases, needs = [] } of networkSections) {
      describe(name, () => {
        cases((title, body, need) => {
          it(title, (context) => withPair(suite, context, body, need === undefined ? needs : [...needs, need]))
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
  needs: readonly NetworkFeature[],
): Promise<void> {
  const missing = needs.find((feature) => suite.unsupported?.[feature] !== undefined)
  const reason = suite.skip ?? (missing === undefined ? undefined : suite.unsupported?.[missing])
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
