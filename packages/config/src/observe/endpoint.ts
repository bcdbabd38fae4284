export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** A port of 127.0.0.1, or `host:port`, an IPv6 address in brackets; undefined for what is neither. */
export function parseEndpoint(value: number | string): Endpoint | undefined {
  const found = /^(?:(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):)?(\d{1,5})$/.exec(String(value))
  const port = Number(found?.[2])
  if (found === null || port > 65_535) return undefined
  return { host: (found[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
