/** IPv4 options (RFC 791 section 3.1). A host passes over what it does not know (RFC 1122 section 3.2.1.8). */
const END = 0
const NO_OPERATION = 1
const LOOSE_SOURCE_ROUTE = 131
const STRICT_SOURCE_ROUTE = 137

export const OPTIONS_OK = 0
/** An option runs over the header's end, or its length is impossible. */
export const OPTIONS_MALFORMED = 1
/** A source route that is not at its end: we would have to forward it, which a host must not do by default. */
export const OPTIONS_SOURCE_ROUTED = 2

/** Walks over the options of a header, from `at` to `end`. */
export function checkOptions(view: DataView, start: number, end: number): number {
  let at = start
  while (at < end) {
    const type = view.getUint8(at)
    if (type === END) return OPTIONS_OK
    if (type === NO_OPERATION) {
      at++
      continue
    }
    if (at + 2 > end) return OPTIONS_MALFORMED
    const length = view.getUint8(at + 1)
    if (length < 2 || at + length > end) return OPTIONS_MALFORMED
    if (type === LOOSE_SOURCE_ROUTE || type === STRICT_SOURCE_ROUTE) {
      if (length < 3) return OPTIONS_MALFORMED
      // The pointer is past the last address when the route is used up.
      if (view.getUint8(at + 2) <= length) return OPTIONS_SOURCE_ROUTED
    }
    at += length
  }
  return OPTIONS_OK
}
