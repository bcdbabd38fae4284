import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BLOCK_READ, createPlainWindow, FramePool, type ParakernelError } from '@parakernel/hal'
import { createLoopDevice } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blockBackend, type IoUringOptions } from '../src/index.ts'
import { clock, Rig, requireIoUring, whole } from './rig.ts'

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

/** The error of opening, which must name its subject and a remedy. */
async function refusal(options: IoUringOptions): Promise<{ code: string; message: string }> {
  try {
    await blockBackend.open(options, rig.context)
  } catch (error) {
    const { code, message, subject, remedy } = error as ParakernelError
    expect(subject).toBeTruthy()
    expect(remedy).toBeTruthy()
    return { code, message }
  }
  throw new Error('it opened')
}

test('what is no file or block device is refused, each with its name', async () => {
  const folder = rig.folder()
  expect(await refusal({ path: join(folder, 'absent') })).toMatchObject({ code: 'ENOENT' })
  expect(await refusal({ path: join(folder, 'no', 'such'), size: 8192 })).toMatchObject({ code: 'ENOENT' })
  expect(await refusal({ path: folder })).toMatchObject({ code: 'EISDIR' })
  expect(await refusal({ path: '/dev/null' })).toMatchObject({
    code: 'ENOTSUP',
    message: expect.stringContaining('character device'),
  })
  expect(await refusal({ path: '' })).toMatchObject({ code: 'EINVAL' })
  const target = join(folder, 'file')
  writeFileSync(target, 'x')
  expect(await refusal({ path: join(target, 'below'), size: 8192 })).toMatchObject({ code: 'ENOTDIR' })
})

test('options that make no sense are refused before anything is created', async () => {
  const path = join(rig.folder(), 'image')
  for (const wrong of [
    { queueDepth: 100 },
    { queueDepth: 0 },
    { queues: 0 },
    { size: -1 },
    { size: 1.5 },
    { polledCompletions: true, direct: 'never' as const },
  ]) {
    expect(await refusal({ path, size: 1 << 20, ...wrong })).toMatchObject({ code: 'EINVAL' })
  }
  expect(await refusal({ path, size: 1 << 20, polledCompletions: true })).toMatchObject({ code: 'ENOTSUP' })
  for (const wrong of [{ blockSize: 1000 }, { blockSize: 256 }, { size: 10_000 }, { size: 1024, blockSize: 4096 }]) {
    expect(await refusal({ path, size: 1 << 20, ...wrong })).toMatchObject({ code: 'EINVAL' })
  }
  expect(existsSync(path)).toBe(false)
})

test('an image that was cut, or has another size, is refused and not touched', async () => {
  const path = join(rig.folder(), 'image')
  writeFileSync(path, Buffer.alloc(16_384, 7))
  expect(await refusal({ path, size: 32_768 })).toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('truncated'),
  })
  expect(await refusal({ path, size: 8192 })).toMatchObject({ code: 'EINVAL' })
  truncateSync(path, 10_000)
  expect(await refusal({ path })).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('truncated') })
  expect(readFileSync(path).equals(Buffer.alloc(10_000, 7))).toBe(true)
  truncateSync(path, 0)
  expect(await refusal({ path })).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('empty') })
  expect(await refusal({ path, size: 10_000 })).toMatchObject({ code: 'EINVAL' })
  expect(statSync(path).size).toBe(0)
  const device = await rig.open({ path, size: 8192 })
  expect(device.namespaces.get(1)).toBe(2)
})

test('a file that is open already is EBUSY, with its holder: in this process and in another', async () => {
  const path = join(rig.folder(), 'image')
  const device = await rig.open({ path })
  expect(await refusal({ path })).toMatchObject({
    code: 'EBUSY',
    message: expect.stringContaining(`process ${process.pid}`),
  })
  // By another name it is the same file.
  const link = join(rig.folder(), 'link')
  symlinkSync(path, link)
  expect(await refusal({ path: link })).toMatchObject({ code: 'EBUSY' })
  await device.close()
  const child = spawn('flock', ['-x', path, 'sh', '-c', 'echo locked; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  rig.onClose(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  expect(await refusal({ path })).toMatchObject({
    code: 'EBUSY',
    message: expect.stringMatching(/process \d+ \((flock|sleep|sh)\) has it open/),
  })
})

test('a block device that is mounted, or has another owner, is EBUSY with what uses it; nothing is written', async (context) => {
  const backing = join(rig.folder(), 'backing')
  await (await rig.open({ path: backing, size: 16 << 20 })).close()
  let loop: { path: string; close(): void }
  try {
    loop = createLoopDevice({ path: backing })
  } catch (error) {
    return context.skip((error as Error).message)
  }
  rig.onClose(() => loop.close())
  const first = await rig.open({ path: loop.path })
  expect(await refusal({ path: loop.path })).toMatchObject({ code: 'EBUSY' })
  await first.close()
  expect(await refusal({ path: loop.path, size: 4096 })).toMatchObject({ code: 'EINVAL' })
  const mount = join(rig.folder(), 'mount')
  mkdirSync(mount)
  if (spawnSync('mkfs.ext4', ['-q', '-F', loop.path]).status !== 0) return context.skip('needs mkfs.ext4')
  if (spawnSync('mount', [loop.path, mount]).status !== 0) return context.skip('needs the right to mount')
  rig.onClose(() => spawnSync('umount', [mount]))
  expect(await refusal({ path: loop.path })).toMatchObject({
    code: 'EBUSY',
    message: expect.stringContaining(`mounted on ${mount}`),
  })
  expect(spawnSync('umount', [mount]).status).toBe(0)
  expect(spawnSync('fsck.ext4', ['-n', '-f', loop.path]).status).toBe(0)
})

test('without the right to write it is EACCES, and a medium that is read only EROFS', async (context) => {
  if (process.getuid?.() === 0) {
    const backing = join(rig.folder(), 'backing')
    writeFileSync(backing, Buffer.alloc(1 << 20))
    let loop: { path: string; close(): void } | undefined
    try {
      loop = createLoopDevice({ path: backing, readOnly: true, direct: false })
    } catch (error) {
      return context.skip((error as Error).message)
    }
    rig.onClose(() => loop.close())
    expect((await refusal({ path: loop.path })).code).toMatch(/^(EROFS|EACCES)$/)
    return
  }
  const path = join(rig.folder(), 'image')
  writeFileSync(path, Buffer.alloc(8192))
  chmodSync(path, 0o400)
  expect(await refusal({ path })).toMatchObject({ code: 'EACCES' })
})

test('ranges and queues that do not exist are refused; after close everything is', async () => {
  const device = await rig.open({ queues: 2 })
  const window = createPlainWindow(8, { frameSize: 4096, headroom: 0 })
  const code = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      return (error as ParakernelError).code
    }
    return 'nothing'
  }
  expect(code(() => device.grant(2, whole(device), window))).toBe('EINVAL')
  expect(code(() => device.grant(-1, whole(device), window))).toBe('EINVAL')
  expect(code(() => device.grant(0, { namespace: 2, firstLba: 0, blocks: 1 }, window))).toBe('EINVAL')
  expect(code(() => device.grant(0, { namespace: 1, firstLba: 250, blocks: 7 }, window))).toBe('EINVAL')
  expect(code(() => device.grant(0, { namespace: 1, firstLba: 0, blocks: 0 }, window))).toBe('EINVAL')
  const grant = device.grant(0, whole(device), window)
  expect(code(() => device.grant(0, whole(device), window))).toBe('EBUSY')
  const other = createPlainWindow(8, { frameSize: 8192, headroom: 0 })
  expect(code(() => blockBackend.attach(grant, { pool: new FramePool(other), clock }))).toBe('EINVAL')
  blockBackend.attach(grant, { pool: new FramePool(window), clock })
  expect(code(() => blockBackend.attach(grant, { pool: new FramePool(window), clock }))).toBe('ESTALE')
  const inAnotherProcess = { ...grant, transport: { ...(grant.transport as object), processId: 1 } }
  expect(code(() => blockBackend.attach(inAnotherProcess, { pool: new FramePool(window), clock }))).toBe('EPERM')
  await device.close()
  await device.close()
  expect(code(() => device.grant(1, whole(device), window))).toBe('ENODEV')
})

test('I/O after detach, reclaim and close moves nothing and throws nothing', async () => {
  const device = await rig.open()
  const user = rig.attach(device)
  const frame = user.frame(1)
  const read = { opcode: BLOCK_READ, lba: 0, blocks: 1, segments: [[frame, 0, 4096]] as const }
  user.queue.detach()
  user.queue.detach()
  expect(user.offer([read])).toBe(0)
  expect(user.queue.complete(user.done)).toBe(0)
  expect(user.queue.arm()).toBe(false)
  const again = rig.attach(device)
  await device.close()
  expect(again.offer([read])).toBe(0)
  expect(again.queue.complete(again.done)).toBe(0)
  expect(statSync(device.name).size).toBe(1 << 20)
})

test('more frames than may be pinned: goes on without registration, and says so', async (context) => {
  const prlimit = spawnSync('prlimit', ['--version'])
  const setpriv = spawnSync('setpriv', ['--version'])
  if (prlimit.error || setpriv.error || process.getuid?.() !== 0) return context.skip('needs root, prlimit and setpriv')
  const folder = rig.folder()
  chmodSync(folder, 0o777)
  const child = spawnSync(
    'prlimit',
    [
      '--memlock=262144',
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
      '--bounding-set=-all',
      '--inh-caps=-all',
      process.execPath,
      '--conditions=source',
      new URL('./child-unregistered.ts', import.meta.url).pathname,
      join(folder, 'image'),
    ],
    { encoding: 'utf8' },
  )
  if (child.stderr.includes('EACCES')) return context.skip('another user may not read the sources')
  expect(child.stderr).toContain('goes on with buffers that are not registered')
  expect(child.stdout).toContain('status 0')
})
