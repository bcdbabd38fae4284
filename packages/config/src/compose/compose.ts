import { ParakernelError } from '@parakernel/hal'
import { loadConfig } from '../load-config.ts'
import { observe } from '../observe/observe.ts'
import type { Config } from '../settings/config.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { tellOfEvents } from './device-events.ts'
import type { ComposeOptions, Machine } from './machine.ts'
import { RunningMachine } from './running-machine.ts'
import { onSignals } from './signals.ts'
import { startParts } from './start.ts'
import { Teardown } from './teardown.ts'

/**
 * Makes a running machine of a config: opens the device, wraps its probes around it, gives each partition its memory,
 * queues, rings and thread, and starts them. A config that `loadConfig` has not seen is checked first; its packages are looked up
 * from the partition's module.
 * @throws ConfigError before anything starts; ENOTSUP for a backend that this machine cannot run; when a part fails to
 * start, an error that names it, after everything that had started was stopped; ECANCELED when a signal came meanwhile
 */
export async function compose<Data>(config: Config | ResolvedConfig, options: ComposeOptions<Data>): Promise<Machine> {
  const resolved = isResolved(config)
    ? config
    : await loadConfig({ config, environment: false, application: options.partition })
  const { name = 'machine', signals = true, warn = console.warn } = options
  const teardown = new Teardown()
  const interruption = new AbortController()
  let machine: RunningMachine | undefined
  if (signals) {
    teardown.push(
      onSignals((signal) => {
        interruption.abort(new ParakernelError('ECANCELED', `stopped by ${signal} while it started`, { subject: name }))
        void machine?.end({ reason: 'signal', signal })
      }),
    )
  }
  try {
    const parts = await startParts(resolved, options as ComposeOptions<unknown>, name, teardown, interruption.signal)
    const devices = parts.device === undefined ? [] : [parts.device, ...parts.furtherDevices]
    for (const device of devices) teardown.push(tellOfEvents(device, warn))
    const endpoints = await observe(name, resolved, parts, warn, (step) => teardown.push(step))
    interruption.signal.throwIfAborted()
    machine = new RunningMachine(name, resolved, parts, endpoints, teardown, warn)
    return machine
  } catch (error) {
    for (const failure of await teardown.run()) warn(`${name}: while stopping: ${failure.message}`)
    throw error
  }
}

function isResolved(config: Config | ResolvedConfig): config is ResolvedConfig {
  return 'settings' in config
}
