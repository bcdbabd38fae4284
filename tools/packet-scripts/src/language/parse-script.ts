import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Line } from './line.ts'
import { beginsCall, CALLS, parseCall } from './parse-call.ts'
import { parsePacket } from './parse-packet.ts'
import { parseTime } from './parse-time.ts'
import {
  type Action,
  type Event,
  type Family,
  type FlowSettings,
  type OptionValue,
  type Script,
  SUBJECTS,
} from './script.ts'
import { ScriptError } from './script-error.ts'

const SETTINGS = ['rule', 'family', 'mtu', 'flow', 'sysctl', 'option', 'only', 'difference'] as const
const FAMILIES: Readonly<Record<string, readonly Family[]>> = { ipv4: [4], ipv6: [6], both: [4, 6] }

export const STATES = [
  'closed',
  'listen',
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
] as const

/** @throws ScriptError */
export function readScript(file: string): Script {
  return parseScript(file, readFileSync(file, 'utf8'))
}

/** The lines of a script, with those of the files that it includes in their place; paths are relative to the file. */
function* linesOf(file: string, text: string): Generator<Line> {
  for (const [index, raw] of text.split('\n').entries()) {
    const line = new Line(file, index + 1, raw)
    if (line.empty) continue
    if (line.accept('include')) yield* included(line, file)
    else yield line
  }
}

function included(line: Line, file: string): Generator<Line> {
  const path = line.take('a path, relative to this file')
  line.end()
  const other = join(dirname(file), path)
  let text: string
  try {
    text = readFileSync(other, 'utf8')
  } catch {
    throw line.error(`${other} cannot be read`)
  }
  return linesOf(other, text)
}

/** @throws ScriptError */
export function parseScript(file: string, text: string): Script {
  const settings = {
    rule: '',
    families: FAMILIES['both'],
    mtu: 1500,
    flows: new Map<number, FlowSettings>(),
    sysctls: [] as [string, string][],
    options: {} as Record<string, OptionValue>,
    only: undefined as Script['settings']['only'],
    differences: [] as string[],
  }
  const events: Event[] = []

  const parseSetting = (line: Line): void => {
    switch (line.oneOf(SETTINGS)) {
      case 'rule':
        settings.rule = line.rest('the rule with its RFC and section')
        break
      case 'family':
        settings.families = FAMILIES[line.oneOf(Object.keys(FAMILIES))]
        break
      case 'mtu':
        settings.mtu = line.integer('an MTU', 68, 65_535)
        break
      case 'flow':
        settings.flows.set(line.integer('the number of the flow', 1, 999), parseFlow(line))
        break
      case 'sysctl':
        settings.sysctls.push([line.take('a name as in net.ipv4.tcp_sack'), line.rest('its value')])
        break
      case 'option': {
        const name = line.take('an option of our libOS')
        const value = line.rest('its value')
        settings.options[name] = optionValue(value)
        break
      }
      case 'only':
        settings.only = { subject: line.oneOf(SUBJECTS), reason: line.rest('the reason') }
        break
      case 'difference':
        settings.differences.push(line.rest('what differs, and why'))
        break
    }
    line.end()
  }

  for (const line of linesOf(file, text)) {
    const setting = (SETTINGS as readonly string[]).includes(line.next)
    if (setting && events.length > 0) throw line.error('settings stand before the first event')
    if (setting) parseSetting(line)
    else events.push(parseEvent(line))
  }
  const missing = (message: string) => new ScriptError(file, 1, 1, message)
  if (settings.rule === '')
    throw missing('it has no rule: say which one it checks, as in rule RFC 9293 section 3.5: ...')
  if (events.length === 0) throw missing('it has no events')
  const differs = events.some(({ subject }) => subject !== undefined)
  if (differs && settings.differences.length === 0) {
    throw missing('lines are of one subject alone: say why, as in difference RFC 6298 section 2.4: ...')
  }
  if (!differs && settings.differences.length > 0) {
    throw missing('it has a difference, but no lines of one subject alone')
  }
  return { file, settings, events }
}

function optionValue(text: string): OptionValue {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function parseFlow(line: Line): FlowSettings {
  let { local, remote, isn } = defaultFlow(0)
  while (!line.atEnd) {
    if (line.accept('local')) local = line.integer('a port', 1, 65_535)
    else if (line.accept('remote')) remote = line.integer('a port', 1, 65_535)
    else if (line.accept('isn')) isn = line.integer('a sequence number')
    else throw line.wrong('local PORT, remote PORT, isn NUMBER')
  }
  return { local, remote, isn }
}

/** Where nobody says otherwise. */
export function defaultFlow(flow: number): FlowSettings {
  return { local: undefined, remote: 40_000 + flow, isn: (0x1357_0000 + flow * 0x0101_0000) >>> 0 }
}

function parseEvent(line: Line): Event {
  const subject = SUBJECTS.find((name) => line.accept(name))
  const time = parseTime(line)
  const action = parseAction(line)
  line.end()
  const exact = time.kind === 'any' || time.from === time.to
  if (action.kind !== 'expect' && (time.kind === 'any' || !exact)) {
    throw line.error('only an expected packet may come at a time between two, or at any')
  }
  return { file: line.file, line: line.number, text: line.text.trim(), subject, time, action }
}

function parseAction(line: Line): Action {
  const arrow = /^([<>])(\??)(\d*)$/.exec(line.next)
  if (arrow !== null) {
    const [, direction, optional, number] = arrow
    const flow = number === '' ? 1 : Number(number)
    if (direction === '<' && optional !== '') throw line.error('an injected packet is never optional')
    line.take('')
    const packet = parsePacket(line, flow, direction === '<')
    return direction === '<' ? { kind: 'inject', packet } : { kind: 'expect', packet, optional: optional !== '' }
  }
  if (line.accept('silent')) return { kind: 'silent' }
  if (line.accept('state')) {
    const flow = /^\d+$/.test(line.next) ? line.integer('a flow', 1, 999) : 1
    return { kind: 'state', flow, state: line.oneOf(STATES) }
  }
  if (beginsCall(line)) return { kind: 'call', call: parseCall(line) }
  throw line.wrong(`<, >, >?, silent, state, a call (${Object.keys(CALLS).join(', ')}), or NAME = and a call`)
}
