import { echo } from './echo/example.ts'
import type { Example } from './example.ts'
import { kvClient } from './kv-client/example.ts'
import { pingPong } from './ping-pong/example.ts'
import { relay } from './relay/example.ts'

export const EXAMPLES: readonly Example[] = [echo, pingPong, relay, kvClient]
