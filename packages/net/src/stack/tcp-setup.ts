import type { FramePool, NetCapabilities } from '@parakernel/hal'
import type { NetConfig } from '../config.ts'
import { RssConstraint } from '../tcp/rss-constraint.ts'
import type { TcpSettings } from '../tcp/settings.ts'
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { ErrorLog } from './error-log.ts'
import type { Output } from './output.ts'
import type { Siblings } from './siblings.ts'
import { TcpService } from './tcp-service.ts'

/** Entries of the table that turns a hash into a queue, as NICs have it and drivers fill it: the queues in turn. */
const RSS_ENTRIES = 128
/** Part of TCP's memory that one buffer may have, so that one connection does not take all. */
const SHARE = 4

/** TCP of a partition from its configuration: its bounds in frames of this pool. */
export function createTcp(
  context: StackContext,
  config: NetConfig,
  errors: ErrorLog,
  output: Output,
  addresses: AddressTable,
  siblings: Siblings | undefined,
  partition: number,
  partitions: number,
  device: NetCapabilities,
): TcpService {
  const { connections, synBacklog, cookies, timeWaits, memory } = config.tcpLimits
  // Steering rules bring answers by their port; without them the hash does, and the port has to fit it.
  const rssKey = config.tcpLimits.rssKey ?? (device.steering ? undefined : device.rssKey)
  const frames = Math.max(8, Math.floor((context.pool.frameCount - context.pool.deviceReserve) * memory))
  const limits = {
    ...{ connections, synBacklog, cookies, timeWaits, memory: frames, burst: config.burst },
    ephemeral: config.ephemeral,
    share: { partition, partitions: Math.max(partitions, 1) },
    ports:
      rssKey === undefined || partitions <= 1
        ? undefined
        : new RssConstraint(
            parseRssKey(rssKey),
            Int32Array.from({ length: RSS_ENTRIES }, (_, i) => i % partitions),
            partition,
          ),
  }
  return new TcpService(context, errors, output, fitting(config.tcp, context.pool, frames), limits, siblings, addresses)
}

/** The settings with buffers that fit the memory there is. */
function fitting(settings: TcpSettings, { frameSize }: FramePool, frames: number): TcpSettings {
  const most = Math.max(frameSize, Math.floor((frames * frameSize) / SHARE))
  const within = (size: number) => Math.min(size, most)
  return Object.freeze({
    ...settings,
    receiveBufferMinimum: within(settings.receiveBufferMinimum),
    receiveBufferInitial: within(settings.receiveBufferInitial),
    receiveBufferMaximum: within(settings.receiveBufferMaximum),
    sendBufferMinimum: within(settings.sendBufferMinimum),
    sendBufferInitial: within(settings.sendBufferInitial),
    sendBufferMaximum: within(settings.sendBufferMaximum),
  })
}

function parseRssKey(text: string): Uint8Array {
  return Uint8Array.from({ length: 40 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}
