import type { Line } from './line.ts'
import type { OptionSpec, Range } from './script.ts'

const KINDS = ['mss', 'sackOK', 'wscale', 'TS', 'sack', 'nop', 'eol', 'uto', 'option', '...'] as const

export interface Options {
  readonly options: readonly OptionSpec[]
  readonly more: boolean
}

/** `<mss 1460, sackOK, TS val 1 ecr 0, nop, wscale 7, sack 1:2 3:4, uto 30, option 253 4, ...>`, the `<` taken already. */
export function parseOptions(line: Line): Options {
  const options: OptionSpec[] = []
  let more = false
  if (line.accept('>')) return { options, more }
  do {
    const kind = line.oneOf(KINDS)
    if (kind === '...') more = true
    else options.push(parseOption(line, kind))
  } while (line.accept(','))
  line.expect('>')
  return { options, more }
}

function parseOption(line: Line, kind: Exclude<(typeof KINDS)[number], '...'>): OptionSpec {
  switch (kind) {
    case 'mss':
      if (line.accept('path')) return { kind, value: 'path' }
      return { kind, value: orAny(line, () => line.integer('a segment size', 0, 0xffff)) }
    case 'wscale':
      return { kind, value: orAny(line, () => line.integer('a shift', 0, 255)) }
    case 'TS': {
      line.expect('val')
      const value = orAny(line, () => parseRange(line, 'a time stamp'))
      line.expect('ecr')
      if (line.accept('last')) return { kind, value, echo: 'last' }
      return { kind, value, echo: orAny(line, () => line.integer('a time stamp', -0x8000_0000)) }
    }
    case 'sack': {
      const blocks: Range[] = []
      while (/^-?\d+:/.test(line.next)) blocks.push(parseBlock(line))
      if (blocks.length === 0) throw line.wrong('blocks as in 1001:2001')
      return { kind, blocks }
    }
    case 'uto':
      return { kind, value: line.integer('the option as a 16-bit number', 0, 0xffff) }
    case 'option':
      return { kind, number: line.integer('the kind', 0, 255), length: line.integer('bytes of its data', 0, 38) }
    default:
      return { kind }
  }
}

function orAny<T>(line: Line, parse: () => T): T | undefined {
  return line.accept('*') ? undefined : parse()
}

function parseBlock(line: Line): Range {
  const match = /^(-?\d+):(-?\d+)$/.exec(line.next)
  if (match === null) throw line.wrong('two sequence numbers as in 1001:2001')
  line.take('')
  return { min: Number(match[1]), max: Number(match[2]) }
}

/** `5`, `5..7`, `5..`: a value, or all from one to another. */
export function parseRange(line: Line, what: string): Range {
  const match = /^(\d+)(?:(\.\.)(\d*))?$/.exec(line.next)
  const min = Number(match?.[1])
  const max = match?.[2] === undefined ? min : match[3] === '' ? 0xffff_ffff : Number(match[3])
  if (match === null || max < min) throw line.wrong(`${what} as in 5, or a range of them as in 5..7 or 5..`)
  line.take('')
  return { min, max }
}
