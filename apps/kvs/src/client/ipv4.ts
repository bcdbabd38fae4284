import { ParakernelError } from '@parakernel/hal'

/** `10.0.0.1` as an int32 in host order. @throws EINVAL */
export function parseIPv4(text: string): number {
  const parts = text.split('.')
  const valid = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
  if (!valid) {
    throw new ParakernelError('EINVAL', `'${text}' is not an IPv4 address`, { remedy: 'Write it as 10.0.0.1' })
  }
  return parts.reduce((sum, part) => (sum << 8) | Number(part), 0)
}
