import { parseScript } from '../language/parse-script.ts'
import { buildPacket } from '../run/build-packet.ts'
import { Calls, describe } from '../run/calls.ts'
import { Flows } from '../run/flow.ts'
import { formatPacket } from '../run/format.ts'
import type { Subject } from '../run/subject.ts'
import { decode } from '../wire/decode.ts'

/** Between an event and what comes of it: acknowledgments are delayed by 40 ms. */
const REACTION = 60e6

/**
 * What a subject does with a random script, line by line, in words that leave out what is each system's own choice: windows and
 * PSH. It closes the subject.
 */
export async function observe(text: string, subject: Subject): Promise<string[]> {
  const script = parseScript('random', text)
  const flows = new Flows(script)
  const calls = new Calls(subject, flows)
  const flow = flows.of(1)
  const seen: string[] = []
  const drain = () => {
    for (const { bytes } of subject.sent.splice(0)) {
      const packet = decode(bytes)
      flow.learn(packet)
      seen.push(
        `  > ${formatPacket(packet, flow)
          .replace(/ win \d+/, '')
          .replace('P', '')}${packet.defects.join('; ')}`,
      )
    }
  }
  let at = 0
  for (const { text: line, time, action } of script.events) {
    at = Math.max(at + (time.kind === 'any' ? 0 : time.from), subject.now())
    await subject.advance(at, () => false)
    drain()
    seen.push(line)
    if (action.kind === 'inject') subject.inject(buildPacket(action.packet, flow, 4, script.settings.mtu))
    if (action.kind === 'call') {
      const operation = calls.begin(action.call)
      await subject.advance(at + REACTION / 4, () => operation.outcome !== undefined)
      const { outcome } = operation
      if (outcome?.kind === 'socket') calls.verify(action.call, outcome)
      seen.push(`  = ${outcome === undefined ? 'waits' : describe(outcome)}`)
    }
    await subject.advance(at + REACTION, () => false)
    drain()
  }
  seen.push(`state ${subject.state(flow.ports.local, flow.ports.remote)}`)
  for (const defect of await subject.close()) seen.push(defect)
  return seen
}
