import type { ControlBlock } from '../control-block.ts'

/** What a connection knows of the packets that its path takes, once it has met a limit or looks for one. Most never do. */
export class PathSearch {
  /** Longest packet that the path is believed to take, header included; 0: what the path itself says. */
  limit = 0
  /** Shortest packet that is known to be too long; 0: none known. */
  tooLong = 0
  /** A shorter MTU that ICMP told and that is believed only when the segment at `pendingSequence` times out; 0: none. */
  pending = 0
  pendingSequence = 0
  /** A packet of this length is under way as a probe, from `probeSequence` on (RFC 4821); 0: none. */
  probe = 0
  probeSequence = 0
  /** Probes of this length that failed in a row. */
  failures = 0
}

export function searchOf(c: ControlBlock): PathSearch {
  c.search ??= new PathSearch()
  return c.search
}
