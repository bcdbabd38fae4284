import * as v from 'valibot'

/** Milliseconds between snapshots that a client may ask for. */
export const SHORTEST_INTERVAL = 50
const LONGEST_INTERVAL = 3_600_000
/** Seconds of a trace. */
const LONGEST_TRACE = 600

/** One line that a client sends. */
const REQUEST = v.union([
  v.strictObject({ get: v.picklist(['snapshot', 'metrics']) }),
  v.strictObject({
    interval: v.union([v.literal(0), v.pipe(v.number(), v.minValue(SHORTEST_INTERVAL), v.maxValue(LONGEST_INTERVAL))]),
  }),
  v.strictObject({ trace: v.pipe(v.number(), v.minValue(0.01), v.maxValue(LONGEST_TRACE)) }),
])

export type ObserverRequest = v.InferOutput<typeof REQUEST>

/** What a client may ask for, in words. */
export const ALLOWED_REQUESTS = `{"get":"snapshot"}, {"get":"metrics"}, {"interval":${SHORTEST_INTERVAL}...${LONGEST_INTERVAL}} in milliseconds, 0 to end, {"trace":seconds}`

/** Undefined for what is none. */
export function parseRequest(line: string): ObserverRequest | undefined {
  try {
    const result = v.safeParse(REQUEST, JSON.parse(line))
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}
