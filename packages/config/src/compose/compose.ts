import { ParakernelError } from '@parakernel/hal'
import type { Config } from '../settings/config.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import type { ComposeOptions, Machine } from './machine.ts'

/**
 * Makes a running machine of a config: opens the device, wraps its probes around it, gives each partition its memory,
 * queues, rings and thread, and starts them.
 * @throws when a part fails to start, naming it, after everything that had started was stopped
 */
export async function compose<Data>(
  _config: Config | ResolvedConfig,
  _options: ComposeOptions<Data>,
): Promise<Machine> {
  throw new ParakernelError('ENOSYS', 'not there yet')
}
