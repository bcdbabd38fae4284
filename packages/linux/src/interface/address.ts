import { isIPv4, isIPv6 } from 'node:net'

/** The 4 or 16 bytes of an IP address written as text; undefined for any other text. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return undefined
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16)
  const plain = dotted === null ? text : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
  const [head, tail] = plain.split('::')
  const words = (part: string | undefined) => (part ? part.split(':').map((one) => Number.parseInt(one, 16)) : [])
  const first = words(head)
  const last = words(tail)
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
  return Uint8Array.from(all.flatMap((one) => [one >> 8, one & 0xff]))
}
