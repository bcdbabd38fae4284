import { formatIp } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { libos, type NetOptions } from '../src/index.ts'
import { type InterfaceOptions, resolveInterface } from '../src/options/interface-options.ts'
import { resolveOptions } from '../src/options.ts'
import { DEFAULT_TCP_SETTINGS, type TcpSettings } from '../src/tcp/settings.ts'

const address = '10.0.0.1/24'
const optionOf = (name: string) => `tcp${name[0].toUpperCase()}${name.slice(1)}`
const MILLISECOND = 1e6

describe('the settings of TCP', () => {
  it('are those that connections have by themselves, unless options say otherwise', () => {
    expect(resolveOptions({ address }).tcp).toEqual(DEFAULT_TCP_SETTINGS)
  })

  /** A value that the option takes and that is not its default. */
  function another(name: string): unknown {
    const { type, values, min = 0, default: fallback } = libos.options[name]
    if (type === 'boolean') return !(fallback as boolean)
    if (type === 'string') return values?.find((value) => value !== fallback)
    // Near the default, so that it stays in order with its neighbours.
    return (fallback as number) - 1 >= min ? (fallback as number) - 1 : (fallback as number) + 1
  }

  for (const setting of Object.keys(DEFAULT_TCP_SETTINGS) as (keyof TcpSettings)[]) {
    it(`${setting} is reached by an option`, () => {
      const option = optionOf(setting)
      const value = setting === 'maximumSegment' ? 1000 : another(option)
      const { tcp } = resolveOptions({ address, [option]: value } as unknown as NetOptions)
      const isTime = libos.options[option].type === 'number' && (value as number) > 0
      expect(tcp[setting]).toBe(isTime ? (value as number) * MILLISECOND : value)
      expect(tcp[setting]).not.toEqual(DEFAULT_TCP_SETTINGS[setting])
      expect({ ...tcp, [setting]: DEFAULT_TCP_SETTINGS[setting] }).toEqual(DEFAULT_TCP_SETTINGS)
    })
  }

  it('are refused by name, alone or for what they are together', () => {
    const refused = (options: object, message: RegExp) =>
      expect(() => resolveOptions({ address, ...options } as NetOptions)).toThrow(message)
    refused({ tcpRetries: 0 }, /net option tcpRetries: 0 is not an integer from 1 to 255/)
    refused({ tcpSack: 'yes' }, /net option tcpSack: yes is not true or false/)
    refused({ tcpNagle: 'on' }, /net option tcpNagle: "on" is not one of minshall, rfc896, off/)
    refused({ tcpMinimumRto: 2000, tcpMaximumRto: 1000 }, /tcp setting minimumRto/)
    refused({ tcpFastOpen: true }, /net option tcpFastOpen: there is no such option/)
  })
})

describe('the options of an interface', () => {
  const resolve = (options: Partial<InterfaceOptions>) => resolveInterface({ address, ...options })

  it('name addresses and routes of both families', () => {
    const { addresses, routes, dhcp } = resolve({
      addresses: ['fd00::1/64', address, '10.0.0.9/24'],
      gateway: '10.0.0.254',
      gateway6: 'fe80::1',
      routes: ['192.168.0.0/16 via 10.0.0.253', 'fd01::/16 via fd00::2', '172.16.0.0/12'],
      metric: 7,
    })
    expect(dhcp).toBe(false)
    // One that is named twice is there once, the primary one first.
    expect(addresses.map(({ words, prefix }) => `${formatIp(words)}/${prefix}`)).toEqual([
      '10.0.0.1/24',
      'fd00::1/64',
      '10.0.0.9/24',
    ])
    const shown = routes.map(({ destination, prefix, gateway, metric }) => {
      const via = gateway === undefined ? 'link' : formatIp(gateway)
      return `${formatIp(destination)}/${prefix} ${via} ${metric}`
    })
    expect(shown).toEqual([
      '192.168.0.0/16 10.0.0.253 7',
      'fd01::/16 fd00::2 7',
      '172.16.0.0/12 link 7',
      '0.0.0.0/0 10.0.0.254 7',
      '::/0 fe80::1 7',
    ])
  })

  it('may leave the address to DHCP, or have none', () => {
    expect(resolve({ address: 'dhcp' })).toMatchObject({ dhcp: true, addresses: [] })
    expect(resolve({ address: 'none', addresses: ['fd00::1/64'] })).toMatchObject({ dhcp: false })
  })

  const wrong: readonly [options: Partial<InterfaceOptions>, message: RegExp][] = [
    [{ addresses: ['fd00::1'] }, /"fd00::1".*prefix/],
    [{ addresses: ['ff02::1/64'] }, /"ff02::1\/64".*single host/],
    [{ addresses: ['fd00::1/129'] }, /prefix/],
    [{ gateway6: 'fd00::2' }, /gateway fd00::2.*Give the interface an address/],
    [{ addresses: ['fd00::1/64'], gateway6: 'fd00::1' }, /gateway fd00::1/],
    [{ routes: ['192.168.0.1/16'] }, /route "192\.168\.0\.1\/16"/],
    [{ routes: ['fd01::/16 via 10.0.0.2'] }, /router of another family/],
    [{ routes: ['192.168.0.0/16 via 10.9.0.2'] }, /gateway 10\.9\.0\.2/],
    [{ ipv6: 'on' as 'off' }, /option ipv6/],
    [{ ipv6: 'off', addresses: ['fd00::1/64'] }, /option ipv6: it is off/],
    [{ ipv6: 'off', gateway6: 'fe80::1' }, /option ipv6: it is off/],
  ]
  for (const [options, message] of wrong) {
    it(`refuse ${JSON.stringify(options)}`, () => {
      expect(() => resolve(options)).toThrow(message)
    })
  }

  it('have forms that a config checks before anything starts', () => {
    const form = (name: string) => libos.options[name].form?.pattern ?? /nothing/
    for (const good of ['192.168.0.0/16', '192.168.0.0/16 via 10.0.0.1', '::/0 via fe80::1', 'fd00::/8'])
      expect(form('routes').test(good), good).toBe(true)
    for (const bad of ['192.168.0.0', 'via 10.0.0.1', '10.0.0.0/8 by 10.0.0.1'])
      expect(form('routes').test(bad)).toBe(false)
    for (const good of ['10.0.0.1/24', 'fd00::1/64']) expect(form('addresses').test(good)).toBe(true)
    expect(form('addresses').test('fd00::1')).toBe(false)
    expect(form('address').test('dhcp')).toBe(true)
    expect(form('gateway6').test('fe80::1')).toBe(true)
    expect(form('gateway6').test('10.0.0.1')).toBe(false)
  })
})
