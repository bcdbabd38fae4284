/** `12.3 M`, `456 k`, `789`: three digits that matter. */
export function formatCount(value: number): string {
  if (value >= 1e9) return `${digits(value / 1e9)} G`
  if (value >= 1e6) return `${digits(value / 1e6)} M`
  if (value >= 1e4) return `${digits(value / 1e3)} k`
  return `${Math.round(value)}`
}

/** A duration in nanoseconds, in the unit that reads best. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds >= 1e9) return `${digits(nanoseconds / 1e9)} s`
  if (nanoseconds >= 1e6) return `${digits(nanoseconds / 1e6)} ms`
  if (nanoseconds >= 1e3) return `${digits(nanoseconds / 1e3)} us`
  return `${Math.round(nanoseconds)} ns`
}

export function formatShare(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
