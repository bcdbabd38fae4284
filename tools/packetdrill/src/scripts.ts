import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { VARIANTS, type Variant } from './script-settings.ts'

export interface ScriptRun {
  /** Path within the checkout's scripts. */
  readonly name: string
  readonly path: string
  readonly variant: Variant
  /** Why it is not run: what it needs is Linux's own, or was left out of the stack on purpose. */
  readonly excluded: string | undefined
}

/** What a script uses that our sockets do not have, by what its text shows; the first that fits is told. */
const EXCLUSIONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/MSG_FASTOPEN|TCP_FASTOPEN|FO [0-9a-f]|TFO_COOKIE|tcp_fastopen=/, 'TCP Fast Open (RFC 7413)'],
  [/md5 |TCP_MD5SIG/, 'TCP MD5 signatures (RFC 2385)'],
  [/MSG_ZEROCOPY|SO_ZEROCOPY/, "Linux's MSG_ZEROCOPY"],
  [/SO_TIMESTAMPING|SCM_TIMESTAMPING|SO_TIMESTAMP/, "Linux's packet time stamps"],
  [/MSG_ERRQUEUE|IP_RECVERR/, "Linux's error queue"],
  [/epoll_/, "Linux's epoll"],
  [/splice\(|sendfile\(|pipe\(/, "Linux's splice and sendfile"],
  [/TCP_INQ|TCP_CM_INQ/, "Linux's TCP_INQ"],
  [/TCP_CORK|MSG_MORE|MSG_EOR/, 'TCP_CORK, MSG_MORE and MSG_EOR'],
  [/MSG_PEEK|MSG_TRUNC|SO_RCVLOWAT|SO_MARK|SO_MAX_PACING/, 'a socket option or flag that the queues do not have'],
  [/tc qdisc|nstat|ip route|ip -6 route|\/proc\/net\//, "a command that reads or changes Linux's own stack"],
  [/tcp_ecn_option|AccECN|accecn/i, 'accurate ECN (a draft)'],
]

/** Every script of a checkout in each variant that its name allows, as packetdrill's own runner reads it. */
export function findScripts(folder: string, variants: readonly Variant[], match: string): ScriptRun[] {
  const found: ScriptRun[] = []
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pkt'))
  for (const file of files.sort()) {
    const path = join(folder, file)
    const name = relative(folder, path)
    if (!name.includes(match)) continue
    const text = readFileSync(path, 'utf8').replaceAll(/\/\/.*$/gm, '')
    const excluded = EXCLUSIONS.find(([pattern]) => pattern.test(text))?.[1]
    for (const variant of variants) {
      if (variant === 'ipv6' ? name.endsWith('v4.pkt') : name.endsWith('v6.pkt')) continue
      found.push({ name, path, variant, excluded })
    }
  }
  return found
}

export const ALL_VARIANTS = Object.keys(VARIANTS) as Variant[]
