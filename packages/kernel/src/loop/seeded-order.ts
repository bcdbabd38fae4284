/** Integers below a bound, the same for a seed every time (splitmix32; their slight preference for small ones is no matter here). */
export function seededOrder(seed: number): (bound: number) => number {
  let state = seed | 0
  return (bound) => {
    state = (state + 0x9e37_79b9) | 0
    let bits = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b)
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
    return ((bits ^ (bits >>> 16)) >>> 0) % bound
  }
}
