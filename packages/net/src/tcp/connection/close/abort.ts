import type { ErrorCode } from '@parakernel/hal'
import { TCP_ATTEMPT_FAILS, TCP_ESTAB_RESETS } from '../../counters.ts'
import {
  ABORT,
  CLOSE_WAIT,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  nextState,
  SYN_RECEIVED,
  SYN_SENT,
} from '../../state.ts'
import { type ControlBlock, count, RESET_ACK } from '../control-block.ts'
import { windowedNext } from '../output/acceptable.ts'
import { finish } from './finish.ts'

/**
 * ABORT (RFC 9293 section 3.10.5): everything is dropped, and the peer told where it could still be sending or waiting.
 */
export function abort(c: ControlBlock, failure?: ErrorCode): void {
  const { state } = c
  if (
    state === SYN_RECEIVED ||
    state === ESTABLISHED ||
    state === FIN_WAIT_1 ||
    state === FIN_WAIT_2 ||
    state === CLOSE_WAIT
  ) {
    c.reset = RESET_ACK
    c.resetSequence = windowedNext(c)
  }
  end(c, failure)
}

/** The connection ends without a word to the peer, which has not answered for long. */
export function giveUp(c: ControlBlock, failure: ErrorCode): void {
  end(c, c.softError ?? failure)
}

function end(c: ControlBlock, failure: ErrorCode | undefined): void {
  const { state } = c
  if (state === SYN_SENT || state === SYN_RECEIVED) count(c, TCP_ATTEMPT_FAILS)
  else if (state === ESTABLISHED || state === CLOSE_WAIT) count(c, TCP_ESTAB_RESETS)
  c.state = nextState(state, ABORT)
  finish(c, failure)
}
