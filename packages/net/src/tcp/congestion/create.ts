import type { TcpSettings } from '../settings.ts'
import type { CongestionControl } from './congestion-control.ts'
import { Cubic } from './cubic.ts'
import { NewReno } from './newreno.ts'
import { Unlimited } from './unlimited.ts'

/** The algorithm that the settings name, one for each connection. */
export function createCongestionControl(settings: TcpSettings): CongestionControl {
  switch (settings.congestionControl) {
    case 'newreno':
      return new NewReno(settings.hystart)
    case 'none':
      return new Unlimited()
    default:
      return new Cubic(settings.hystart)
  }
}
