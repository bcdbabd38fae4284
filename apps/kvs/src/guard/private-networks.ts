/**
 * Whether an IPv4 address (int32, host order) cannot be the victim of a reflection from outside: loopback
 * 127.0.0.0/8, private 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918), link-local 169.254.0.0/16 (RFC 3927).
 */
export function isPrivateAddress(address: number): boolean {
  const top = address >>> 24
  if (top === 10 || top === 127) return true
  if (top === 192) return address >>> 16 === 0xc0a8
  if (top === 172) return address >>> 20 === 0xac1
  return top === 169 && address >>> 16 === 0xa9fe
}
