import {
  expr,
  FILTER_BASES,
  FILTER_FIELDS,
  type FilterExpression,
  type FilterField,
  type FilterValue,
} from '@parakernel/hal'
import { ADDRESSES, PORTS } from './packets.ts'
import type { CaseRandom } from './random.ts'

const FIELDS = Object.keys(FILTER_FIELDS) as FilterField[]
const COMPARISONS = [expr.eq, expr.ne, expr.lt, expr.le, expr.gt, expr.ge]

/** A random expression of every kind of part, at most `depth` deep, over numbers that `randomPacket` puts into packets. */
export function randomFilter(random: CaseRandom, depth = 3): FilterExpression {
  if (depth === 0 || random.chance(0.4)) return leaf(random)
  const parts = () => Array.from({ length: random.below(4) }, () => randomFilter(random, depth - 1))
  switch (random.below(3)) {
    case 0:
      return expr.all(...parts())
    case 1:
      return expr.any(...parts())
    default:
      return expr.not(randomFilter(random, depth - 1))
  }
}

function leaf(random: CaseRandom): FilterExpression {
  switch (random.below(8)) {
    case 0:
      return random.chance(0.5) ? expr.always : expr.never
    case 1:
      return expr.present(randomValue(random))
    case 2:
      return expr.within(randomValue(random), numbers(random))
    case 3:
      return random.pick(COMPARISONS)(randomValue(random), randomValue(random))
    default:
      return random.pick(COMPARISONS)(randomValue(random), randomNumber(random))
  }
}

export function randomValue(random: CaseRandom, depth = 2): FilterValue {
  switch (random.below(depth === 0 ? 6 : 8)) {
    case 0:
      return expr.load(random.pick(FILTER_BASES), random.below(40), random.pick([1, 2, 4]))
    case 1:
      return expr.length(random.pick(FILTER_BASES))
    case 2:
      return expr.hash(random.pick(FILTER_BASES), random.below(16), 1 + random.below(16), random.below(3))
    case 6: {
      const of = randomValue(random, depth - 1)
      return random.pick([
        () => expr.and(of, random.pick([0xff, 0xffff_ff00, 0xffff_ffff, 0x8000_0000])),
        () => expr.shiftRight(of, random.below(32)),
        () => expr.modulo(of, random.pick([1, 2, 3, 7, 65_537, 0xffff_ffff])),
      ])()
    }
    case 7:
      return { kind: 'number', value: randomNumber(random) }
    default:
      return expr.field(random.pick(FIELDS))
  }
}

function randomNumber(random: CaseRandom): number {
  return random.pick([
    () => random.pick(PORTS),
    () => random.pick(ADDRESSES),
    () => random.pick([0, 1, 4, 6, 8, 17, 44, 58, 0x0800, 0x86dd]),
    () => random.below(256),
    () => random.next(),
  ])()
}

function numbers(random: CaseRandom): number[] {
  const length = random.pick([0, 1, 3, 8, 9, 60])
  return Array.from({ length }, () => randomNumber(random))
}
