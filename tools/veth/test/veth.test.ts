import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { probeLab } from '@parakernel/linux'
import { describe, expect, test } from 'vitest'
import { parseCommand } from '../src/arguments.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname
const veth = (...words: string[]) => [process.execPath, ['--conditions=source', main, ...words]] as const
const run = promisify(execFile)
const lab = probeLab()
const missing = lab.available ? undefined : `needs ${lab.missing}`

describe('arguments', () => {
  test('defaults and options', () => {
    expect(parseCommand(['up'])).toEqual({
      kind: 'up',
      pair: { label: 'lab', queues: 1, mtu: 1500, peerAddresses: [], peerChecksumOffload: false },
      program: [],
    })
    const words = 'run --queues 4 --peer-address 10.0.0.2/24 --peer-address fd00::2/64 --steer-ports 9000 -- echo -n hi'
    expect(parseCommand(words.split(' '))).toMatchObject({
      kind: 'run',
      pair: { queues: 4, peerAddresses: ['10.0.0.2/24', 'fd00::2/64'] },
      portBase: 9000,
      program: ['echo', '-n', 'hi'],
    })
    expect(parseCommand(['--help']).kind).toBe('help')
  })

  test.each([
    [[]],
    [['down']],
    [['up', 'x']],
    [['run']],
    [['clean', 'x']],
    [['up', '--queues', 'many']],
    [['up', '--mtu', '10']],
    [['up', '--nonsense']],
  ])('%j is refused with a word about it', (words) =>
    expect(parseCommand(words)).toMatchObject({ kind: 'wrong', message: expect.stringMatching(/.{10}/) }),
  )
})

test('run gives the program the names, and its exit status is the tool\u2019s', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const script =
    'test -e /sys/class/net/$VETH_INTERFACE && ip netns exec $VETH_NAMESPACE ip -br addr show $VETH_PEER; exit 7'
  const [file, words] = veth('run', '--label', 'tr', '--peer-address', '10.80.0.2/24', '--', 'sh', '-c', script)
  const failure = await run(file, words).catch((error) => error)
  expect(failure.code).toBe(7)
  expect(failure.stdout).toContain('10.80.0.2/24')
})

test('up steers ports to queues, and Ctrl-C takes everything down', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const child = spawn(
    ...veth('up', '--label', 'tu', '--queues', '2', '--steer-ports', '9000', '--peer-address', '10.80.0.2/24'),
  )
  let printed = ''
  child.stdout.on('data', (data) => {
    printed += data
  })
  await expect.poll(() => printed, { timeout: 5000 }).toContain('Ctrl-C')
  const names = Object.fromEntries(printed.split('\n').map((line) => line.split('=')))
  const name = names['VETH_INTERFACE']
  expect(existsSync(`/sys/class/net/${name}`)).toBe(true)
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  expect(await gone).toBe(0)
  expect(existsSync(`/sys/class/net/${name}`)).toBe(false)
  expect(existsSync(`/run/netns/${name}`)).toBe(false)
})
