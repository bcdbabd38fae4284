import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockCapabilities,
  ParakernelError,
} from '@parakernel/hal'
import type { ResolvedOptions } from '../options.ts'
import type { NamespaceIdentity } from '../spec/identify.ts'
import type { Controller } from './controller.ts'

/** Of a memory page as the controller is configured (CC.MPS 0). */
export const PAGE = 4096
/** The block count of a command is 16 bits, 0-based. */
const MOST_BLOCKS = 65_536
const MOST_SEGMENTS = 128

/**
 * What one namespace can do.
 * @throws ENOTSUP for a format that blocks without metadata cannot be read from
 */
export function namespaceCapabilities(
  controller: Controller,
  namespace: NamespaceIdentity,
  options: ResolvedOptions,
  depth: number,
  attach: BlockCapabilities['attach'],
): BlockCapabilities {
  const { identity, limits, transport, name } = controller
  const { blockSize, metadata, protection, readOnly } = namespace
  if (metadata > 0 || protection) {
    throw new ParakernelError('ENOTSUP', `blocks have ${metadata} bytes of metadata`, {
      subject: `${name} namespace ${namespace.namespace}`,
      remedy: 'Format the namespace without metadata and protection information',
    })
  }
  const bytes = Math.min(options.maxTransfer, identity.maxTransfer === 0 ? options.maxTransfer : identity.maxTransfer)
  if (blockSize > bytes) {
    throw new ParakernelError('ENOTSUP', `a block of ${blockSize} bytes is more than a transfer of ${bytes}`, {
      subject: `${name} namespace ${namespace.namespace}`,
      remedy: 'Raise the option maxTransfer, or format the namespace with smaller blocks',
    })
  }
  const sgl = options.sgl === 'auto' && identity.sgl > 0
  const { commands } = identity
  let opcodes = (1 << BLOCK_READ) | (1 << BLOCK_FLUSH)
  if (commands.compare) opcodes |= 1 << BLOCK_COMPARE
  if (!readOnly) {
    opcodes |= 1 << BLOCK_WRITE
    if (commands.writeZeroes && zeroesFit(limits.writeZeroes, bytes)) opcodes |= 1 << BLOCK_WRITE_ZEROES
    // Other answers of deallocated blocks than zeroes are not what the contract promises.
    if (commands.deallocate && namespace.deallocated === 'zeroes') opcodes |= 1 << BLOCK_DEALLOCATE
  }
  // A boundary that does not begin at block 0 cannot be told: then nothing is promised beyond a block.
  const aligned = namespace.atomicOffset === 0
  return {
    blockSize,
    memoryAlignment: 4,
    maxSegments: Math.min(MOST_SEGMENTS, bytes / PAGE + 1),
    segmentPage: sgl ? 0 : PAGE,
    maxTransfer: Math.min(MOST_BLOCKS, Math.floor(bytes / blockSize)),
    atomicUnit: aligned ? namespace.atomicUnitPowerFail : 1,
    atomicBoundary: aligned ? namespace.atomicBoundaryPowerFail : 0,
    volatileCache: identity.volatileCache && options.writeCache !== 'off',
    persistence: transport.persistence ?? 'media',
    opcodes,
    queueDepth: depth - 1,
    attach,
    regions: transport.regions ?? ['plain', 'memfd'],
  }
}

function zeroesFit(limit: number, bytes: number): boolean {
  return limit === 0 || limit >= bytes
}
