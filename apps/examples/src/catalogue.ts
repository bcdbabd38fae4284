import { dump } from './dump/example.ts'
import { echo } from './echo/example.ts'
import type { Example } from './example.ts'
import { journal } from './journal/example.ts'
import { kvClient } from './kv-client/example.ts'
import { packetGenerator } from './packet-generator/example.ts'
import { pingPong } from './ping-pong/example.ts'
import { relay } from './relay/example.ts'

/** In the order in which they are read. */
export const EXAMPLES: readonly Example[] = [echo, pingPong, relay, packetGenerator, dump, kvClient, journal]
