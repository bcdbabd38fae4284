import type { Line } from './line.ts'
import type { Range, Time } from './script.ts'

const UNITS: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9 }
const DURATION = /^(\d+(?:\.\d+)?)(us|ms|s)$|^0$/

/** `200ms`, `1.5s`, `20us`, `0`, in nanoseconds; undefined for anything else. */
function duration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  return match[1] === undefined ? 0 : Math.round(Number(match[1]) * UNITS[match[2]])
}

/** `200ms` or `190ms..210ms`. */
function span(text: string): { from: number; to: number } | undefined {
  const [first, last = first, ...more] = text.split('..')
  const from = duration(first)
  const to = duration(last)
  if (from === undefined || to === undefined || to < from || more.length > 0) return undefined
  return { from, to }
}

const FORMS = 'a duration as in 200ms, 1.5s, 20us or 0, or a range of two as in 190ms..210ms'

/** The time that may stand before an event; without one it happens together with the event before it. */
export function parseTime(line: Line): Time {
  const word = line.next
  if (word === '+*') {
    line.take('')
    return { kind: 'any' }
  }
  if (word[0] !== '+' && word[0] !== '@') return { kind: 'relative', from: 0, to: 0 }
  const time = span(word.slice(1))
  if (time === undefined) throw line.wrong(`+ or @ with ${FORMS}; or +*`)
  line.take('')
  return { kind: word[0] === '+' ? 'relative' : 'absolute', ...time }
}

/** How long a call takes: a duration, a range of two, or `*`. */
export function parseSpan(line: Line): Range {
  if (line.accept('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
  const time = span(line.next)
  if (time === undefined) throw line.wrong(`${FORMS}; or *`)
  line.take('')
  return { min: time.from, max: time.to }
}
