import { ParakernelError, parseIpAddress, type SteeringRule } from '@parakernel/hal'
import { addressesAt, addressesLength, type Headers, PROTOCOL_TCP, PROTOCOL_UDP } from '../packet/headers.ts'

/** Rules of one NIC. The table is searched in order for each packet, so short is quick. */
export const MAX_RULES = 256

const PROTOCOL = 0
const FIRST_PORT = 1
const LAST_PORT = 2
/** 0: any address. */
const FAMILY = 3
const ADDRESS = 4
const QUEUE = 8
const SPREAD = 9
export const RULE_WORDS = 10

const ANY_PORT = -1

/** Writes a rule into the table at word `at`. @throws EINVAL for what no packet can match, or a queue out of range. */
export function writeRule(rule: SteeringRule, queues: number, words: Int32Array, at: number): void {
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject: 'steering rule' })
  const spread = rule.spread ?? 1
  if (rule.protocol !== 'udp' && rule.protocol !== 'tcp') throw invalid(`protocol ${rule.protocol} is not udp or tcp`)
  if (!Number.isInteger(spread) || spread < 1) throw invalid(`spread ${spread} is not a positive integer`)
  if (!Number.isInteger(rule.queue) || rule.queue < 0 || rule.queue + spread > queues) {
    throw invalid(`queues ${rule.queue} to ${rule.queue + spread - 1} are not among the ${queues} of this NIC`)
  }
  const port = rule.destinationPort ?? ANY_PORT
  const [first, last] = typeof port === 'number' ? [port, port] : port
  if (first !== ANY_PORT || last !== ANY_PORT) {
    if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= 65_535)) {
      throw invalid(`ports ${first} to ${last} are not a range within 0 to 65535`)
    }
  }
  const address = rule.destinationAddress === undefined ? new Uint8Array(0) : parseIpAddress(rule.destinationAddress)
  const addressView = new DataView(address.buffer)
  words[at + PROTOCOL] = rule.protocol === 'udp' ? PROTOCOL_UDP : PROTOCOL_TCP
  words[at + FIRST_PORT] = first
  words[at + LAST_PORT] = last
  words[at + FAMILY] = address.length === 0 ? 0 : address.length === 4 ? 4 : 6
  for (let i = 0; i < address.length / 4; i++) words[at + ADDRESS + i] = addressView.getInt32(i * 4, true)
  words[at + QUEUE] = rule.queue
  words[at + SPREAD] = spread
}

/** The queue that the first matching rule names; -1 when none matches. */
export function matchRules(
  words: Int32Array,
  table: number,
  count: number,
  headers: Headers,
  view: DataView,
  at: number,
): number {
  const port = headers.ports ? view.getUint16(at + headers.transport + 2) : ANY_PORT
  for (let rule = table; count > 0; count--, rule += RULE_WORDS) {
    if (words[rule + PROTOCOL] !== headers.protocol) continue
    const first = words[rule + FIRST_PORT]
    if (first !== ANY_PORT && (port < first || port > words[rule + LAST_PORT])) continue
    if (words[rule + FAMILY] !== 0 && !sameAddress(words, rule, headers, view, at)) continue
    const spread = words[rule + SPREAD]
    const step = first === ANY_PORT || spread === 1 ? 0 : (port - first) % spread
    return words[rule + QUEUE] + step
  }
  return -1
}

function sameAddress(words: Int32Array, rule: number, headers: Headers, view: DataView, at: number): boolean {
  const family = headers.family
  if (family !== words[rule + FAMILY]) return false
  const length = addressesLength(family) / 2
  const destination = at + headers.network + addressesAt(family) + length
  for (let i = 0; i < length; i += 4) {
    if (view.getInt32(destination + i, true) !== words[rule + ADDRESS + (i >> 2)]) return false
  }
  return true
}
