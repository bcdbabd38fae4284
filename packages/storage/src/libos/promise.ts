import type { Persistence } from '@parakernel/hal'

const SURVIVES: Readonly<Record<Persistence, string>> = {
  media: 'a loss of power',
  'host-crash': 'a crash of the host, but not a loss of its power',
  'process-crash': 'a crash of the process, but not of the host',
  none: 'nothing: the media is memory of this process',
}

/** What a completed flush is worth on media of this kind. */
export function promiseOf(persistence: Persistence): string {
  return (
    `what was synced or pushed as flushed survives ${SURVIVES[persistence]}; after it the whole volume is as it was at one ` +
    'moment, at or after the last sync that completed, with every push that is no longer than half of the block cache there wholly or not at all'
  )
}
