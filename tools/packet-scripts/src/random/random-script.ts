import { Random } from './random.ts'

/** Bytes that the peer's stream has at most. */
const LONGEST = 1500
const STEPS = 12
/** Longer than an acknowledgment is delayed; all together less than the RTO, which is three round trips of 400 ms. */
const STEP = '+70ms'

/**
 * A script without expectations: a peer whose segments come in any order, overlap, are old or have numbers that are wrong, and
 * a program that reads, writes and closes meanwhile. The peer's stream is one stream: its bytes and its end do not change.
 */
export function randomScript(seed: number): string {
  const random = new Random(seed)
  const lines = ['rule RFC 9293: whatever comes', 'server = socket stream', 'bind server 8080', 'listen server']
  lines.push('< S 0 win 65535 <mss 1000>', '+400ms < . 1 ack 1 win 65535', 'c = accept server')
  const end = random.integer(1, LONGEST)
  const state = { written: 0, shut: false, acks: 0 }
  for (let i = random.integer(3, STEPS); i > 0; i--) lines.push(`${STEP} ${step(random, end, state)}`)
  return lines.join('\n')
}

function step(random: Random, end: number, state: { written: number; shut: boolean; acks: number }): string {
  const chance = random.fraction()
  const ack = random.pick(1, 1, state.written + 1, random.integer(1, state.written + 1), 100_000)
  if (chance < 0.5) return segment(random, end, ack)
  if (chance < 0.6 && !state.shut) {
    const bytes = random.pick(100, 1000, 2500)
    state.written += bytes
    return `write c ${bytes}`
  }
  if (chance < 0.72) return `read c ${random.pick(100, 1000, 10_000)}`
  if (chance < 0.78 && !state.shut) {
    state.shut = true
    return 'shutdown c'
  }
  if (chance < 0.84) return `< R${random.pick('', '.')} ${random.integer(-1, end + 100)} ack 1 win 0`
  if (chance < 0.9) return `< S${random.pick('', '.')} ${random.pick(0, 1, 301, 100_000)} ack 1 win 65535 <mss 1000>`
  // Of three that are alike, the kernel takes the first for news of the window, and we for a duplicate.
  if (state.acks++ > 1) return segment(random, end, ack)
  return `< . ${random.integer(1, end + 1)} ack ${ack} win 65535`
}

/** Some bytes of the stream, or its end alone: what the kernel does with both together it does in its own time. */
function segment(random: Random, end: number, ack: number): string {
  const from = random.integer(-100, end)
  const to = Math.min(Math.max(from, 1) + random.integer(1, 600), end + 1)
  if (to > end && random.fraction() < 0.5) return `< F. ${end + 1} ack ${ack} win 65535`
  return `< ${random.pick('.', 'P.')} ${from}:${to} ack ${ack} win 65535`
}
