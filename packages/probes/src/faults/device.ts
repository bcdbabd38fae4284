import type { NetDecorator, NetDevice, NetQueueGrant } from '@parakernel/hal'
import { type ProbeGrant, wrapGrant } from '../grant.ts'
import { ProbeDevice } from '../probe-device.ts'
import { type FaultOptions, type FaultSettings, faultOptions, faultSettings } from './settings.ts'

class FaultDevice extends ProbeDevice<FaultSettings> {
  readonly #settings: FaultSettings

  constructor(inner: NetDevice, settings: FaultSettings) {
    super(inner)
    this.#settings = settings
  }

  protected wrap(grant: NetQueueGrant): ProbeGrant<FaultSettings> {
    return wrapGrant('faults', grant, this.#settings)
  }
}

/** Loses, duplicates, reorders, corrupts, delays and limits packets, by a seed. */
export const faults: NetDecorator<FaultOptions> = {
  kind: 'net-decorator',
  name: 'faults',
  options: faultOptions,
  wrap: (device, options) => (options.enabled === false ? device : new FaultDevice(device, faultSettings(options))),
}
