import { usageError } from '../exit-codes.ts'

/** A flag that is a number of seconds. @throws a usage error for what is none, or out of range */
export function secondsOf(args: Readonly<Record<string, unknown>>, name: string, least: number, most: number): number {
  const seconds = Number(args[name])
  if (args[name] !== '' && seconds >= least && seconds <= most) return seconds
  throw usageError(
    `--${name}: ${args[name] === '' ? 'needs a value' : `found ${args[name]}`}, allowed: ${least} to ${most} seconds`,
  )
}
