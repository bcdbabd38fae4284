import { existsSync } from 'node:fs'
import { probeLab } from '@parakernel/linux'

/** What is missing for running scripts against Linux here, or undefined. */
export function linuxMissing(): string | undefined {
  const lab = probeLab()
  if (!lab.available) return lab.missing
  return existsSync('/dev/net/tun') ? undefined : '/dev/net/tun'
}
