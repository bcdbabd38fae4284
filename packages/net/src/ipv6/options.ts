/** Options of hop-by-hop and destination options headers (RFC 8200 section 4.2): type, length, value. */
const PAD_1 = 0
const PAD_N = 1
/** RFC 2711: routers shall look at it; for us it tells real MLD messages from others (RFC 3810 section 5). */
const ROUTER_ALERT = 5
const ROUTER_ALERT_LENGTH = 2

/** The two highest bits of a type say what is to be done by who does not know it. */
const ACTION_SKIP = 0
const ACTION_DISCARD = 1
const ACTION_REPORT = 2

/**
 * More than these in one header are refused (RFC 8504 section 5.3): no sender needs them, and each costs us time.
 * Padding is to fill up to a multiple of 8, so that 7 bytes in a row are always enough.
 */
const MOST_OPTIONS = 8
const MOST_PADDING = 7

export const OPTIONS_OK = 0
/** An option runs over the header's end, or a known one has a wrong length. */
export const OPTIONS_MALFORMED = 1
export const OPTIONS_TOO_MANY = 2
/** Too much padding in a row, or padding that is not zero (RFC 4942 section 2.1.9.5). */
export const OPTIONS_BAD_PADDING = 3
/** An unknown one: discard, and say nothing. */
export const OPTIONS_DISCARD = 4
/** An unknown one: discard, and report a parameter problem that points at it. */
export const OPTIONS_REPORT = 5

/** What the last `checkOptions` found. One object, refilled. */
export interface OptionFindings {
  routerAlert: boolean
  /** Address of the option that is to be reported. */
  problemAt: number
}

/**
 * Walks over the options from `start` to `end`.
 * @param toGroup the packet's destination is a group: then action 11 is silent
 */
export function checkOptions(
  view: DataView,
  start: number,
  end: number,
  toGroup: boolean,
  findings: OptionFindings,
): number {
  let at = start
  let options = 0
  let padding = 0
  while (at < end) {
    const type = view.getUint8(at)
    if (type === PAD_1) {
      if (++padding > MOST_PADDING) return OPTIONS_BAD_PADDING
      at++
      continue
    }
    if (at + 2 > end) return OPTIONS_MALFORMED
    const next = at + 2 + view.getUint8(at + 1)
    if (next > end) return OPTIONS_MALFORMED
    if (type === PAD_N) {
      padding += next - at
      if (padding > MOST_PADDING) return OPTIONS_BAD_PADDING
      for (let i = at + 2; i < next; i++) if (view.getUint8(i) !== 0) return OPTIONS_BAD_PADDING
      at = next
      continue
    }
    padding = 0
    if (++options > MOST_OPTIONS) return OPTIONS_TOO_MANY
    if (type === ROUTER_ALERT) {
      if (next - at - 2 !== ROUTER_ALERT_LENGTH) return OPTIONS_MALFORMED
      findings.routerAlert = true
    } else {
      const action = type >>> 6
      if (action !== ACTION_SKIP) {
        findings.problemAt = at
        return action === ACTION_REPORT || (action !== ACTION_DISCARD && !toGroup) ? OPTIONS_REPORT : OPTIONS_DISCARD
      }
    }
    at = next
  }
  return OPTIONS_OK
}
