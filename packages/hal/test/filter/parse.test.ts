import { describe, expect, test } from 'vitest'
import { expr, type FilterExpression, formatFilter, parseFilter } from '../../src/index.ts'

const { field, load } = expr
const port = field('udp.destinationPort')
const a = expr.eq(port, 1)
const b = expr.present(field('vlan.id'))
const c = expr.gt(expr.length('payload'), 9)

describe('text becomes an expression', () => {
  const cases: [string, FilterExpression][] = [
    ['true', expr.always],
    ['udp.destinationPort == 53', expr.eq(port, 53)],
    ['payload[0:1]!=0x1F', expr.ne(load('payload', 0, 1), 31)],
    ['payload[2:2] & 15 >> 1 < 3', expr.lt(expr.shiftRight(expr.and(load('payload', 2, 2), 15), 1), 3)],
    ['((payload[2:2] & 15) >= 3)', expr.ge(expr.and(load('payload', 2, 2), 15), 3)],
    ['ipv4.source in {10.0.0.1, 10.0.0.2}', expr.within(field('ipv4.source'), [0x0a00_0001, 0x0a00_0002])],
    ['ip.protocol in {}', expr.within(field('ip.protocol'), [])],
    ['hash(payload[0:8], 3) % 4 == 1', expr.eq(expr.modulo(expr.hash('payload', 0, 8, 3), 4), 1)],
    ['1 <= length(frame)', expr.le({ kind: 'number', value: 1 }, expr.length('frame'))],
    ['not has vlan.id', expr.not(b)],
    ['udp.destinationPort == 1 or has vlan.id and length(payload) > 9', expr.any(a, expr.all(b, c))],
    [' ( udp.destinationPort == 1 or has vlan.id ) and length( payload ) > 9 ', expr.all(expr.any(a, b), c)],
    ['not (udp.destinationPort == 1) and has vlan.id', expr.all(expr.not(a), b)],
  ]
  test.each(cases)('%s', (text, expression) => {
    expect(parseFilter(text)).toEqual(expression)
    expect(parseFilter(formatFilter(expression))).toEqual(expression)
  })
})

describe('what is wrong is named, with its place and what may stand there', () => {
  test.each([
    ['', /found the end at 0, allowed: a number, frame\[/],
    ['udp.port == 3', /found "udp\.port" at 0, allowed: .*udp\.destinationPort/],
    ['payload[0:1]', /found the end at 12, allowed: ==/],
    ['payload[0:1] = 3', /found "=" at 12, allowed: a word/],
    ['payload[0 1]', /found "1" at 10, allowed: :/],
    ['true true', /found "true" at 5, allowed: and, or/],
    ['(true', /found the end at 5, allowed: \)/],
    ['ipv4.source == 10.0.0.256', /found "10\.0\.0\.256" at 15, allowed: an IPv4 address/],
    ['payload[0:3] == 1', /filter\.left\.width: found 3/],
    ['length(mars) == 1', /found "mars" at 7, allowed: frame, network/],
    ['payload[0:1] & x == 1', /found "x" at 15, allowed: a number/],
    [`${'('.repeat(2000)}true`, /allowed: fewer parentheses/],
    [`${'not '.repeat(2000)}true`, /allowed: fewer parentheses/],
    [`${'not '.repeat(100)}true`, /at most 64 levels/],
    ['payload[0:1] constructor 1', /found "constructor" at 13, allowed: ==/],
    ['constructor == 1', /found "constructor"/],
    ['true toString', /found "toString"/],
  ])('%s', (text, message) => {
    expect(() => parseFilter(text)).toThrow(message)
    expect(() => parseFilter(text)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })
})
