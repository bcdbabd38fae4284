import type { Step } from './model.ts'

/** What every workload finds. */
export const SETUP: readonly Step[] = [
  { kind: 'mkdir', path: '/d' },
  { kind: 'write', path: '/a', at: 0, length: 2500, seed: 1 },
  { kind: 'write', path: '/d/b', at: 0, length: 1024, seed: 2 },
  { kind: 'write', path: '/gone', at: 0, length: 4096, seed: 3 },
  { kind: 'sync' },
  { kind: 'unlink', path: '/gone' },
  { kind: 'sync' },
]

/** One operation each: what a file system is asked for, on few names, so that they meet. */
const ALPHABET: readonly Step[] = [
  { kind: 'create', path: '/n' },
  { kind: 'write', path: '/a', at: 0, length: 1024, seed: 11 },
  { kind: 'write', path: '/a', at: 2500, length: 1200, seed: 12 },
  { kind: 'write', path: '/n', at: 700, length: 900, seed: 13 },
  { kind: 'truncate', path: '/a', length: 1100 },
  { kind: 'punch', path: '/a', at: 500, length: 1600 },
  { kind: 'rename', path: '/a', to: '/d/b' },
  { kind: 'rename', path: '/d', to: '/e' },
  { kind: 'unlink', path: '/a' },
  { kind: 'unlink', path: '/d/b' },
  { kind: 'mkdir', path: '/e' },
  { kind: 'rmdir', path: '/e' },
  { kind: 'fsync', path: '/a' },
  { kind: 'sync' },
]

/** All sequences of so many operations, each followed by one that makes something durable. */
export function* sequences(length: number): Generator<Step[]> {
  const total = ALPHABET.length ** length
  for (let number = 0; number < total; number++) {
    const steps: Step[] = []
    for (let i = 0, rest = number; i < length; i++, rest = Math.floor(rest / ALPHABET.length)) {
      steps.push(ALPHABET[rest % ALPHABET.length])
    }
    yield [...steps, { kind: 'sync' }]
  }
}

export function seeded(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b_79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

const NAMES = ['/a', '/b', '/c', '/d/a', '/d/b', '/d/c', '/d/e/a', '/d/e/b']
const DIRECTORIES = ['/d', '/d/e', '/f']

/** A workload by its seed. */
export function randomSteps(seed: number, count: number): Step[] {
  const random = seeded(seed)
  const name = () => NAMES[random(NAMES.length)]
  const directory = () => DIRECTORIES[random(DIRECTORIES.length)]
  const steps: Step[] = []
  for (let i = 0; i < count; i++) {
    const dice = random(100)
    if (dice < 34)
      steps.push({ kind: 'write', path: name(), at: random(6000), length: 1 + random(4000), seed: seed * 1000 + i })
    else if (dice < 40) steps.push({ kind: 'create', path: name() })
    else if (dice < 48) steps.push({ kind: 'truncate', path: name(), length: random(7000) })
    else if (dice < 54) steps.push({ kind: 'punch', path: name(), at: random(6000), length: 1 + random(3000) })
    else if (dice < 64) steps.push({ kind: 'rename', path: name(), to: name() })
    else if (dice < 67) steps.push({ kind: 'rename', path: directory(), to: directory() })
    else if (dice < 74) steps.push({ kind: 'unlink', path: name() })
    else if (dice < 79) steps.push({ kind: 'mkdir', path: directory() })
    else if (dice < 82) steps.push({ kind: 'rmdir', path: directory() })
    else if (dice < 92) steps.push({ kind: 'fsync', path: name() })
    else if (dice < 97) steps.push({ kind: 'sync' })
    else if (dice < 99) steps.push({ kind: 'snapshot', path: `s${random(3)}` })
    else steps.push({ kind: 'unsnapshot', path: `s${random(3)}` })
  }
  return steps
}

/**
 * A workload in which no flush and no forced write does another's work: commits of metadata alone and of data, a snapshot, and enough of
 * both that the journal is full and begins anew.
 */
export const EVERY_ORDER: readonly Step[] = [
  { kind: 'mkdir', path: '/m' },
  { kind: 'sync' },
  { kind: 'write', path: '/a', at: 0, length: 3000, seed: 21 },
  { kind: 'fsync', path: '/a' },
  { kind: 'rename', path: '/a', to: '/m/a' },
  { kind: 'sync' },
  { kind: 'snapshot', path: 's' },
  { kind: 'write', path: '/m/a', at: 100, length: 2000, seed: 22 },
  { kind: 'sync' },
  { kind: 'unsnapshot', path: 's' },
  ...Array.from({ length: 12 }, (_, i): Step[] => [
    ...Array.from({ length: 8 }, (_, k): Step => ({ kind: 'create', path: `/m/${'name'.repeat(40)}${i}-${k}` })),
    { kind: 'sync' },
    { kind: 'write', path: `/m/a`, at: 0, length: 1024, seed: 30 + i },
    { kind: 'sync' },
  ]).flat(),
]
