import {
  type BackendContext,
  type BlockBackend,
  type BlockDevice,
  type BlockQueueGrant,
  type Clock,
  ParakernelError,
} from '@parakernel/hal'
import { NvmeDevice } from './control/device.ts'
import { MODULE_URL } from './module-url.ts'
import { type NvmeOptions, optionSpecs, resolveOptions } from './options.ts'
import { attachPassthrough, isPassthrough, PassthroughDevice } from './passthrough/device.ts'
import type { NvmeQueueGrant } from './queue/grant.ts'
import { NvmeQueue } from './queue/nvme-queue.ts'
import type { NvmeTransport } from './transport.ts'
import { openVfioTransport } from './vfio/transport.ts'

declare module '@parakernel/hal' {
  interface BlockBackendOptions {
    nvme: NvmeOptions
  }
}

/** What the package of a device model exports under the name `nvmeTransport`. */
export interface NvmeTransportFactory {
  open(options: Readonly<Record<string, unknown>>, context: BackendContext): NvmeTransport | Promise<NvmeTransport>
}

/**
 * Drives the controller behind any transport, which it closes in the end, or when this fails.
 * @throws EINVAL for a bad option or a namespace that is not there; ENODEV, ENOTSUP, ETIMEDOUT, EIO; NvmeError
 */
export async function openNvme(
  transport: NvmeTransport,
  options: Omit<NvmeOptions, 'device' | 'transport' | 'controller'>,
  { clock }: { readonly clock: Clock },
): Promise<NvmeDevice> {
  return NvmeDevice.open(transport, clock, resolveOptions(options))
}

/** What a config's `backend: 'nvme'` resolves to. */
export const blockBackend: BlockBackend<NvmeOptions> = {
  kind: 'block-backend',
  name: 'nvme',
  options: optionSpecs,
  probe: () => ({ available: true }),
  async open(options, context): Promise<BlockDevice> {
    const resolved = resolveOptions(options)
    if (options.transport === 'passthrough') return openPassthrough(options)
    const transport = await openTransport(options, context)
    return NvmeDevice.open(transport, context.clock, resolved)
  },
  attach: (grant: BlockQueueGrant, context) =>
    isPassthrough(grant) ? attachPassthrough(grant, context) : new NvmeQueue(grant as NvmeQueueGrant, context),
}

async function openTransport(options: NvmeOptions, context: BackendContext): Promise<NvmeTransport> {
  const { transport = 'vfio', device, controller = {} } = options
  if (transport !== 'vfio') return (await loadModel(transport)).open(controller, context)
  if (device === undefined) {
    throw new ParakernelError('EINVAL', 'is missing', {
      subject: 'nvme, option device',
      remedy: 'Give the PCI address of the controller (0000:00:04.0)',
    })
  }
  return openVfioTransport(device)
}

function openPassthrough({ device, queues, depth }: NvmeOptions): BlockDevice {
  if (device === undefined) {
    throw new ParakernelError('EINVAL', 'is missing', {
      subject: 'nvme, option device',
      remedy: 'Give the character device of a namespace (/dev/ng0n1)',
    })
  }
  const options = {
    path: device,
    ...(queues === undefined ? {} : { queues }),
    ...(depth === undefined ? {} : { queueDepth: depth }),
  }
  return new PassthroughDevice(options, MODULE_URL)
}

/** Device models are packages beside this one, found by name, so that nobody has to install what nobody uses. */
async function loadModel(name: string): Promise<NvmeTransportFactory> {
  const specifier = /^[a-z0-9-]+$/.test(name) ? `@parakernel/${name}` : name
  let module: { readonly nvmeTransport?: NvmeTransportFactory }
  try {
    module = await import(specifier)
  } catch (cause) {
    throw new ParakernelError(
      'EINVAL',
      `'${name}' is neither vfio nor passthrough, and no package that can be loaded`,
      {
        subject: 'nvme, option transport',
        remedy: `npm install ${specifier}`,
        cause,
      },
    )
  }
  if (module.nvmeTransport !== undefined) return module.nvmeTransport
  throw new ParakernelError('EINVAL', `${specifier} has no NVMe controller: it does not export nvmeTransport`, {
    subject: 'nvme, option transport',
  })
}
