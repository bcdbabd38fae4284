import type { Instant } from '../segment.ts'
import { type CongestionControl, LARGEST_WINDOW } from './congestion-control.ts'

/**
 * No congestion control: the peer's window is the only limit. For links of one's own on which loss has nothing to do with
 * queues (radio, tests) and for comparisons with stacks that have none. Not for a network that others use (RFC 2914).
 */
export class Unlimited implements CongestionControl {
  readonly name = 'none'
  window = LARGEST_WINDOW
  readonly slowStartThreshold = LARGEST_WINDOW

  start(_mss: number, _window: number, _now: Instant): void {
    this.window = LARGEST_WINDOW
  }

  acknowledged(_bytes: number, _sample: number, _inFlight: number, _now: Instant): void {
    this.window = LARGEST_WINDOW
  }

  roundStart(): void {}

  congestion(_flight: number, _now: Instant): void {}

  timeout(_flight: number, _again: boolean, _now: Instant): void {
    this.window = LARGEST_WINDOW
  }

  ecnReduction(_flight: number, _now: Instant): void {}

  undo(): void {
    this.window = LARGEST_WINDOW
  }

  idle(_timeouts: number, _restartWindow: number, _now: Instant): void {}

  mssChanged(_mss: number): void {}
}
