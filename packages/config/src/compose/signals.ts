import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Calls `stop` at the first SIGINT or SIGTERM; at the second the process ends at once, with the exit code that shells use
 * for it. Returns the way to stop listening.
 */
export function onSignals(stop: (signal: (typeof SIGNALS)[number]) => void): () => void {
  let signalled = false
  const listener = (signal: (typeof SIGNALS)[number]) => {
    if (signalled) process.exit(128 + constants.signals[signal])
    signalled = true
    stop(signal)
  }
  for (const signal of SIGNALS) process.on(signal, listener)
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener)
  }
}
