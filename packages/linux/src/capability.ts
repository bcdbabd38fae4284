import { readFileSync } from 'node:fs'

/** Bits of linux/capability.h that parakernel's backends ask for. */
const BITS = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_SYS_ADMIN: 21,
  CAP_BPF: 39,
} as const

export type Capability = keyof typeof BITS

/** The capabilities of this process that are in effect, of those named here. Empty where /proc does not tell. */
export function effectiveCapabilities(): ReadonlySet<Capability> {
  const found = new Set<Capability>()
  let status: string
  try {
    status = readFileSync('/proc/self/status', 'latin1')
  } catch {
    return found
  }
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  for (const name of Object.keys(BITS) as Capability[]) {
    if ((mask >> BigInt(BITS[name])) & 1n) found.add(name)
  }
  return found
}

/** Those of `needed` that the process lacks. CAP_SYS_ADMIN stands in for CAP_BPF, as it does in the kernel. */
export function missingCapabilities(...needed: Capability[]): Capability[] {
  const effective = effectiveCapabilities()
  return needed.filter((name) => !effective.has(name) && !(name === 'CAP_BPF' && effective.has('CAP_SYS_ADMIN')))
}
