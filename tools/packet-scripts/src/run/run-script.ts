import type { CallSpec, Event, Family, PacketSpec, Script, Time } from '../language/script.ts'
import { viewOf } from '../wire/bytes.ts'
import { decode } from '../wire/decode.ts'
import type { Packet } from '../wire/packet.ts'
import { OPTION_TIMESTAMPS } from '../wire/tcp-options.ts'
import { buildPacket } from './build-packet.ts'
import { Calls, describe } from './calls.ts'
import { Flows } from './flow.ts'
import { formatPacket, formatTime } from './format.ts'
import { mismatches } from './match-packet.ts'
import { ScriptFailure } from './script-failure.ts'
import type { Operation, Subject } from './subject.ts'

/** A timeout is up to this many round trips long (RFC 6298 section 2.2), and so as many times as late as the peer was. */
const ROUND_TRIPS_IN_A_TIMEOUT = 3
/** How long an expected packet without a time may take. */
const ANY_TIME = 20e9

interface Begun {
  readonly event: Event
  readonly call: CallSpec
  readonly operation: Operation
  readonly at: number
}

/** Runs a script against a subject, which it closes. @throws ScriptFailure */
export async function runScript(script: Script, family: Family, subject: Subject): Promise<readonly string[]> {
  const run = new Run(script, family, subject)
  let defects: readonly string[]
  try {
    await run.toTheEnd()
  } finally {
    defects = await subject.close()
  }
  if (defects.length > 0) throw run.failure(script.events[script.events.length - 1], defects.join('; '))
  return run.trace
}

class Run {
  readonly trace: string[] = []
  readonly #script: Script
  readonly #family: Family
  readonly #subject: Subject
  readonly #flows: Flows
  readonly #calls: Calls
  /** Calls that have not completed, oldest first. */
  #begun: Begun[] = []
  /** When the last event happened. */
  #last = 0
  /** By how much a packet or call of the script was later than it should be, at worst: a subject in real time is not alone. */
  #lateness = 0

  constructor(script: Script, family: Family, subject: Subject) {
    this.#script = script
    this.#family = family
    this.#subject = subject
    this.#flows = new Flows(script)
    this.#calls = new Calls(subject, this.#flows)
  }

  async toTheEnd(): Promise<void> {
    let last: Event = this.#script.events[0]
    for (const event of this.#script.events) {
      if (event.subject !== undefined && event.subject !== this.#subject.kind) continue
      last = event
      try {
        await this.#perform(event)
      } catch (error) {
        // What a call or a packet says is wrong with it; a mistake of the program keeps its own stack.
        throw error instanceof ScriptFailure || (error as Error).name !== 'Error'
          ? error
          : this.failure(event, (error as Error).message)
      }
    }
    await this.#settleAll()
    await this.#subject.advance(this.#subject.now() + this.#subject.tolerance, () => false)
    this.#refuseUnexpected(last)
  }

  failure(event: Event, reason: string): ScriptFailure {
    return new ScriptFailure(event, reason, this.trace)
  }

  async #perform(event: Event): Promise<void> {
    const { action } = event
    const { from, to } = this.#window(event.time)
    if (action.kind === 'expect') {
      await this.#expect(event, action.packet, action.optional, from, to)
      return
    }
    await this.#advance(from, () => this.#subject.sent.length > 0)
    this.#refuseUnexpected(event)
    // What follows counts from when this happened.
    const now = this.#subject.now()
    this.#lateness = Math.max(this.#lateness, now - from)
    this.#last = Math.max(from, this.#last, now)
    switch (action.kind) {
      case 'inject':
        this.#inject(event, action.packet)
        break
      case 'call':
        await this.#call(event, action.call)
        break
      case 'state':
        this.#state(event, action.flow, action.state)
        break
      case 'silent':
        break
    }
  }

  #window(time: Time): { from: number; to: number } {
    if (time.kind === 'any') return { from: this.#last, to: this.#last + ANY_TIME }
    const base = time.kind === 'relative' ? this.#last : 0
    return { from: base + time.from, to: base + time.to }
  }

  async #advance(time: number, stop: () => boolean): Promise<void> {
    await this.#subject.advance(time, stop)
    this.#settle()
  }

  #inject({ text }: Event, spec: PacketSpec): void {
    const flow = this.#flows.of(spec.flow)
    const bytes = buildPacket(spec, flow, this.#family, this.#script.settings.mtu)
    this.#say(this.#subject.now(), text.slice(text.indexOf('<')))
    this.#subject.inject(bytes)
  }

  async #expect(event: Event, spec: PacketSpec, optional: boolean, from: number, to: number): Promise<void> {
    const { sent, tolerance, drift } = this.#subject
    const latest = to + tolerance + (to - this.#last) * drift + ROUND_TRIPS_IN_A_TIMEOUT * this.#lateness
    await this.#advance(latest, () => sent.length > 0)
    const first = sent[0]
    if (first === undefined) {
      if (optional) return
      throw this.failure(event, `nothing was sent until ${formatTime(this.#subject.now())}`)
    }
    const packet = decode(first.bytes)
    const flow = this.#flows.of(spec.flow)
    // Of the new connection, not of the one before it on the same ports.
    if (spec.kind === 'tcp' && spec.start === 'new' && !optional) {
      flow.localIsn = undefined
      flow.timestampBase = undefined
    }
    this.#learn(packet)
    const wrong = mismatches(packet, spec, {
      flow,
      family: this.#family,
      mtu: this.#script.settings.mtu,
      timestampTolerance: Math.ceil(Math.max(tolerance, 1e6) / 1e6),
    })
    if (first.at < from - tolerance) wrong.push(`it came at ${formatTime(first.at)}, not before ${formatTime(from)}`)
    if (first.at > latest) wrong.push(`it came at ${formatTime(first.at)}, not by ${formatTime(to)}`)
    if (wrong.length > 0 && optional) return
    sent.shift()
    this.#say(first.at, `> ${formatPacket(packet, this.#flowOf(packet))}`)
    if (wrong.length > 0) throw this.failure(event, wrong.join('; '))
    this.#last = first.at
  }

  async #call(event: Event, call: CallSpec): Promise<void> {
    const at = this.#subject.now()
    this.#say(at, event.text.slice(event.text.indexOf(call.result ?? call.verb)))
    const operation = this.#calls.begin(call)
    this.#begun.push({ event, call, operation, at })
    this.#settle()
    if (call.after === undefined && call.outcome.kind !== 'pending') {
      await this.#advance(at + this.#subject.tolerance, () => operation.outcome !== undefined)
      if (operation.outcome === undefined) throw this.failure(event, 'it has not completed at once')
    }
  }

  /** Looks at the calls that have completed. */
  #settle(): void {
    const open: Begun[] = []
    for (const begun of this.#begun) {
      const { event, call, operation, at } = begun
      const { outcome } = operation
      if (outcome === undefined) {
        open.push(begun)
        continue
      }
      if (call.outcome.kind === 'pending') throw this.failure(event, `it completed: ${describe(outcome)}`)
      if (call.after !== undefined) {
        const { tolerance, drift } = this.#subject
        const took = operation.at - at
        const most = call.after.max * (1 + drift) + tolerance + ROUND_TRIPS_IN_A_TIMEOUT * this.#lateness
        if (took < call.after.min - tolerance || took > most) {
          throw this.failure(event, `it took ${formatTime(took)}, and came to ${describe(outcome)}`)
        }
        this.#say(operation.at, `line ${event.line} has completed: ${describe(outcome)}`)
      }
      const wrong = this.#calls.verify(call, outcome)
      if (wrong !== undefined) throw this.failure(event, wrong)
    }
    this.#begun = open
  }

  /** Waits for the calls that were to complete. */
  async #settleAll(): Promise<void> {
    const { tolerance, drift } = this.#subject
    for (const { event, call, operation, at } of [...this.#begun]) {
      if (call.outcome.kind === 'pending' || call.after === undefined) continue
      const latest = at + Math.min(call.after.max, ANY_TIME) * (1 + drift) + tolerance
      await this.#advance(latest, () => operation.outcome !== undefined || this.#subject.sent.length > 0)
      if (operation.outcome === undefined) throw this.failure(event, 'it has not completed')
    }
  }

  #state(event: Event, number: number, expected: string): void {
    const { local, remote } = this.#flows.of(number).ports
    const seen = this.#subject.state(local, expected === 'listen' ? 0 : remote)
    if (seen !== expected) throw this.failure(event, `the state is ${seen}`)
  }

  /** Everything that comes out is in the script. */
  #refuseUnexpected(event: Event): void {
    const [first] = this.#subject.sent
    if (first === undefined) return
    const packet = decode(first.bytes)
    this.#learn(packet)
    const text = formatPacket(packet, this.#flowOf(packet))
    this.#say(first.at, `> ${text}`)
    throw this.failure(
      event,
      `before this, at ${formatTime(first.at)}, a packet was sent that the script does not have: ${text}`,
    )
  }

  /** Tells the flow of a packet what it says about it. */
  #learn(packet: Packet): void {
    const flow = this.#flowOf(packet)
    if (flow === undefined) return
    flow.learn(packet)
    if (packet.transport.kind !== 'tcp') return
    const stamps = packet.transport.options.find(({ kind, data }) => kind === OPTION_TIMESTAMPS && data.length === 8)
    if (stamps === undefined) return
    flow.lastTimestamp = viewOf(stamps.data).getUint32(0)
    flow.timestampBase ??= flow.lastTimestamp
  }

  /** By the remote port; the flow of everything else is the first. */
  #flowOf({ transport }: Packet) {
    const port = 'destinationPort' in transport ? transport.destinationPort : 0
    return this.#flows.byRemotePort(port)
  }

  #say(at: number, text: string): void {
    this.trace.push(`${formatTime(at)}  ${text}`)
  }
}
