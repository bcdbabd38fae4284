import type { SocketOption, SocketOptions } from '@parakernel/queue'
import { type TcpSettings, tcpSettings } from '../tcp/settings.ts'

const MILLISECOND = 1e6

/** Options of a fresh stream socket: what the libOS's settings say, in the units of sockets. */
export function streamDefaults(settings: TcpSettings, ttl: number): Readonly<SocketOptions> {
  return Object.freeze({
    broadcast: false,
    ttl,
    multicastTtl: 1,
    multicastLoop: true,
    receiveQueue: 1,
    ipv6Only: false,
    noDelay: settings.nagle === 'off',
    keepAlive: settings.keepAlive,
    keepAliveIdle: settings.keepAliveIdle / MILLISECOND,
    keepAliveInterval: settings.keepAliveInterval / MILLISECOND,
    keepAliveProbes: settings.keepAliveProbes,
    userTimeout: settings.userTimeout / MILLISECOND,
    linger: settings.linger < 0 ? -1 : settings.linger / MILLISECOND,
    receiveBuffer: 0,
    sendBuffer: 0,
    notSentLowWater: settings.notSentLowWater,
    maximumSegment: settings.maximumSegment,
    // `none` is for simulations, and no socket asks for it.
    congestionControl: settings.congestionControl,
  })
}

/** What an option of a socket changes in TCP's settings, which `base` has for a socket whose options are untouched. */
const SETTINGS: Partial<Record<SocketOption, (options: SocketOptions, base: TcpSettings) => Partial<TcpSettings>>> = {
  noDelay: ({ noDelay }, { nagle }) => ({ nagle: noDelay ? 'off' : nagle === 'off' ? 'minshall' : nagle }),
  keepAlive: ({ keepAlive }) => ({ keepAlive }),
  keepAliveIdle: ({ keepAliveIdle }) => ({ keepAliveIdle: keepAliveIdle * MILLISECOND }),
  keepAliveInterval: ({ keepAliveInterval }) => ({ keepAliveInterval: keepAliveInterval * MILLISECOND }),
  keepAliveProbes: ({ keepAliveProbes }) => ({ keepAliveProbes }),
  userTimeout: ({ userTimeout }) => ({ userTimeout: userTimeout * MILLISECOND }),
  linger: ({ linger }) => ({ linger: linger < 0 ? -1 : linger * MILLISECOND }),
  receiveBuffer: ({ receiveBuffer: size }, base) => {
    if (size === 0) return tuned(base, 'receiveBuffer')
    return { receiveBufferMinimum: size, receiveBufferInitial: size, receiveBufferMaximum: size }
  },
  sendBuffer: ({ sendBuffer: size }, base) => {
    if (size === 0) return tuned(base, 'sendBuffer')
    return { sendBufferMinimum: size, sendBufferInitial: size, sendBufferMaximum: size }
  },
  notSentLowWater: ({ notSentLowWater }) => ({ notSentLowWater }),
  maximumSegment: ({ maximumSegment }) => ({ maximumSegment }),
  congestionControl: ({ congestionControl }) => ({ congestionControl }),
}

/** The settings of a socket after `option` was set. */
export function settingsAfter(
  option: SocketOption,
  options: SocketOptions,
  settings: TcpSettings,
  base: TcpSettings,
): TcpSettings {
  const changes = SETTINGS[option]?.(options, base)
  return changes === undefined ? settings : tcpSettings(changes, settings)
}

function tuned(base: TcpSettings, buffer: 'receiveBuffer' | 'sendBuffer'): Partial<TcpSettings> {
  return {
    [`${buffer}Minimum`]: base[`${buffer}Minimum`],
    [`${buffer}Initial`]: base[`${buffer}Initial`],
    [`${buffer}Maximum`]: base[`${buffer}Maximum`],
  }
}
