import { ForwardingDevice, type FrameWindow, type NetQueueGrant } from '@parakernel/hal'
import type { ProbeGrant } from './grant.ts'

/** The control half that every probe shares: grants are wrapped on their way out, and unwrapped on their way back. */
export abstract class ProbeDevice<Settings> extends ForwardingDevice {
  override grant(queue: number, window: FrameWindow): ProbeGrant<Settings> {
    return this.wrap(super.grant(queue, window))
  }

  override reclaim(grant: NetQueueGrant): void {
    super.reclaim((grant as ProbeGrant<Settings>).transport.inner)
  }

  protected abstract wrap(grant: NetQueueGrant): ProbeGrant<Settings>
}
