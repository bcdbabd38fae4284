import { WakeWord } from '@parakernel/hal'
import type { Pollable } from '../contracts.ts'

/** The wake sources of a loop's pollables, each once. */
export interface WakeSources {
  readonly words: readonly WakeWord[]
  readonly descriptors: readonly number[]
  /** True when something can wake nobody, and the loop must look for itself every millisecond. */
  readonly vetoed: boolean
}

/** `own` is the word of the loop's partition, which other threads notify even when no pollable names it. */
export function collectWakeSources(pollables: readonly Pollable[], own: WakeWord | undefined): WakeSources {
  const words = own === undefined ? [] : [own]
  const descriptors = new Set<number>()
  let vetoed = false
  for (const { wake } of pollables) {
    if (wake.kind === 'none') vetoed = true
    else if (wake.kind === 'descriptor') descriptors.add(wake.fd)
    else if (!words.some((word) => word.words.buffer === wake.word.words.buffer)) words.push(wake.word)
  }
  // Atomics.wait needs some word to sleep on, even if nobody will ever notify it.
  if (words.length === 0) words.push(new WakeWord(new SharedArrayBuffer(64)))
  return { words, descriptors: [...descriptors], vetoed }
}
