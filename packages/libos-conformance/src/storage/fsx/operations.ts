import type { Random } from './random.ts'

export type FsxOperationKind =
  | 'open'
  | 'close'
  | 'asyncClose'
  | 'push'
  | 'pushAt'
  | 'pop'
  | 'popAt'
  | 'seek'
  | 'truncate'
  | 'punchHole'
  | 'sync'
  | 'syncVolume'
  | 'status'
  | 'stat'
  | 'readdir'
  | 'mkdir'
  | 'rmdir'
  | 'rename'
  | 'unlink'
  /** Everything that is under way ends, and is compared. */
  | 'settle'
  /** Both libOSes are shut down and opened again, and all that they hold is compared. */
  | 'reopen'

/** One operation, as plain data: it means the same whatever comes before it, so that others can be left out. */
export interface FsxOperation {
  readonly kind: FsxOperationKind
  /** Of the descriptor: one of a few that may be open or not. */
  readonly slot: number
  readonly path: string
  readonly to: string
  readonly position: number
  readonly length: number
  /** Of the bytes that are written; of `open`: bits of the options. */
  readonly seed: number
}

export const OPEN_WRITE = 1
export const OPEN_CREATE = 2
export const OPEN_EXCLUSIVE = 4
export const OPEN_TRUNCATE = 8
export const OPEN_APPEND = 16
export const OPEN_FLUSHED = 32

const SLOTS = 6
const DIRECTORIES = ['', '/d', '/e', '/d/in']
const NAMES = ['a', 'b', 'c', 'd', 'e', 'in']
/** Longest file that positions are chosen for. */
const SPAN = 200_000
const LONGEST = 20_000
/** Bytes that may be under way. */
const WINDOW = 100_000

/** How often each kind comes, in parts of their sum. */
const WEIGHTS: readonly (readonly [FsxOperationKind, number])[] = [
  ['open', 90],
  ['close', 30],
  ['asyncClose', 20],
  ['push', 120],
  ['pushAt', 160],
  ['pop', 100],
  ['popAt', 160],
  ['seek', 60],
  ['truncate', 60],
  ['punchHole', 60],
  ['sync', 20],
  ['syncVolume', 4],
  ['status', 40],
  ['stat', 20],
  ['readdir', 15],
  ['mkdir', 12],
  ['rmdir', 8],
  ['rename', 40],
  ['unlink', 25],
  ['settle', 60],
  ['reopen', 1],
]
const TOTAL = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)

/** Operations without end, some hundreds of them between two reopenings. */
export class OperationSource {
  readonly #random: Random
  #underWay = 0

  constructor(random: Random) {
    this.#random = random
  }

  next(): FsxOperation {
    if (this.#underWay > WINDOW) return this.#make('settle')
    return this.#make(this.#kind())
  }

  #kind(): FsxOperationKind {
    let at = this.#random.below(TOTAL)
    for (const [kind, weight] of WEIGHTS) {
      if (at < weight) return kind
      at -= weight
    }
    return 'settle'
  }

  #make(kind: FsxOperationKind): FsxOperation {
    const random = this.#random
    const length = this.#length()
    if (kind === 'settle' || kind === 'reopen' || kind === 'close') this.#underWay = 0
    else if (kind.startsWith('pu') || kind.startsWith('po')) this.#underWay += length + 1000
    return {
      kind,
      slot: random.below(SLOTS),
      path: this.#path(),
      to: this.#path(),
      position: this.#position(),
      length,
      seed: kind === 'open' ? this.#openOptions() : random.below(256),
    }
  }

  #openOptions(): number {
    const random = this.#random
    const write = random.oneIn(5) ? 0 : OPEN_WRITE
    return (
      write |
      (random.oneIn(3) ? 0 : OPEN_CREATE) |
      (random.oneIn(12) ? OPEN_EXCLUSIVE : 0) |
      (random.oneIn(8) ? OPEN_TRUNCATE : 0) |
      (random.oneIn(6) ? OPEN_APPEND : 0) |
      (random.oneIn(10) ? OPEN_FLUSHED : 0)
    )
  }

  #path(): string {
    const random = this.#random
    // Mostly files of the root, so that they live long enough to be written to.
    const directory = random.oneIn(3) ? DIRECTORIES[random.below(DIRECTORIES.length)] : ''
    return `${directory}/${NAMES[random.below(NAMES.length)]}`
  }

  /** Near blocks and clusters as often as anywhere. */
  #position(): number {
    const random = this.#random
    const anywhere = random.oneIn(4) ? random.below(SPAN) : random.below(SPAN >> 3)
    if (!random.oneIn(2)) return anywhere
    return Math.max(0, anywhere - (anywhere % 4096) + random.below(5) - 2)
  }

  #length(): number {
    const random = this.#random
    if (random.oneIn(3)) return random.below(64)
    if (random.oneIn(4)) return Math.max(0, 4096 * (1 + random.below(4)) + random.below(5) - 2)
    return random.below(LONGEST)
  }
}

/** As a line of a report. */
export function formatOperation({ kind, slot, path, to, position, length, seed }: FsxOperation): string {
  switch (kind) {
    case 'open':
      return `open ${path} as ${slot} ${openWords(seed)}`.trimEnd()
    case 'push':
      return `push ${slot}: ${length} bytes of seed ${seed}`
    case 'pushAt':
      return `pushAt ${slot}: ${length} bytes of seed ${seed} at ${position}`
    case 'pop':
      return `pop ${slot}: ${length}`
    case 'popAt':
    case 'punchHole':
      return `${kind} ${slot}: ${length} at ${position}`
    case 'seek':
      return `seek ${slot} to ${position}`
    case 'truncate':
      return `truncate ${slot} to ${position}`
    case 'rename':
      return `rename ${path} to ${to}`
    case 'settle':
    case 'reopen':
    case 'syncVolume':
      return kind
    case 'close':
    case 'asyncClose':
    case 'sync':
    case 'status':
      return `${kind} ${slot}`
    default:
      return `${kind} ${path}`
  }
}

function openWords(bits: number): string {
  const words = ['write', 'create', 'exclusive', 'truncate', 'append', 'flushed']
  return words.filter((_, i) => (bits & (1 << i)) !== 0).join(' ')
}
