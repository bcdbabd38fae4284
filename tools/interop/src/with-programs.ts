import { expect, type TestContext } from 'vitest'
import { type Lab, type LabOptions, missingForLab, type Wire, withLab } from './lab.ts'
import type { Remains } from './programs-partition.ts'

/** Enough ports, and none that waits for a minute to be used again: 10,000 connections of each way come from one address. */
const SYSCTLS = { 'net.ipv4.ip_local_port_range': '1024 65535', 'net.ipv4.tcp_tw_reuse': '1' }

/**
 * Frames that stack and device may keep for themselves once they have worked: one that short pushes share, and the room for the
 * next super-packet of a TAP, which is 31. A leak is one a connection or a megabyte.
 */
const KEPT_FRAMES = 40

/** A lab with all the programs at our end; afterwards nothing of any connection is left there. */
export async function withPrograms(
  context: TestContext,
  label: string,
  wire: Wire,
  needs: readonly string[],
  body: (lab: Lab) => Promise<void>,
  options: LabOptions = {},
): Promise<void> {
  const missing = missingForLab(...needs)
  if (missing !== undefined) return context.skip(missing)
  const partition = new URL('./programs-partition.ts', import.meta.url)
  const sysctls = { ...SYSCTLS, ...options.sysctls }
  await withLab(label, { wire, partition, ...options, sysctls }, async (lab) => {
    const partitions = Array.from({ length: lab.machine.partitions }, (_, partition) => partition)
    const each = <T>(of: (remains: Remains) => T) =>
      Promise.all(partitions.map(async (partition) => of(await lab.machine.call<Remains>(partition, 'remains'))))
    const before = await each((remains) => remains)
    await body(lab)
    await expect.poll(() => each(({ established }) => established), { timeout: 30_000 }).toEqual(before.map(() => 0))
    const missing = () =>
      each(({ framesAvailable }) => framesAvailable).then((now) => now.map((n, i) => before[i].framesAvailable - n))
    await expect.poll(async () => Math.max(...(await missing())), { timeout: 30_000 }).toBeLessThanOrEqual(KEPT_FRAMES)
    // A control connection may still wait for the last acknowledgment.
    const tokens = before.map(({ outstanding }) => outstanding)
    await expect.poll(() => each(({ outstanding }) => outstanding), { timeout: 30_000 }).toEqual(tokens)
    expect(await each(({ states }) => states['listen'])).toEqual(before.map(({ states }) => states['listen']))
  })
}

/** Runs a program of the peer's, which must succeed. */
export async function succeed({ run }: Lab, ...program: string[]): Promise<string> {
  const { code, output } = await run(...program)
  expect(code, output).toBe(0)
  return output
}

export function gigabits(bytesPerSecond: number): string {
  return `${((bytesPerSecond * 8) / 1e9).toFixed(2)} Gb/s`
}
