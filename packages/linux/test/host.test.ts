import { isMainThread } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { allowedCores, calls, LinuxHost, pinThread, systemError } from '../src/index.ts'
import { requires } from './requirements.ts'

test('an eventfd is readable once for all signals before', (context) => {
  requires(context)
  const host = new LinuxHost()
  const fd = host.createEventFd()
  expect(host.readEventFd(fd)).toBe(false)
  host.writeEventFd(fd)
  host.writeEventFd(fd)
  expect(host.readEventFd(fd)).toBe(true)
  expect(host.readEventFd(fd)).toBe(false)
  host.closeFd(fd)
  expect(() => host.writeEventFd(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('a poller tells which descriptors are ready, and how long it slept', (context) => {
  requires(context)
  const host = new LinuxHost()
  const fds = [host.createEventFd(), host.createEventFd()]
  const poller = host.createPoller(fds)
  expect(poller.wait(0)).toBe(0)
  const before = performance.now()
  expect(poller.wait(20e6)).toBe(0)
  expect(performance.now() - before).toBeGreaterThanOrEqual(18)
  host.writeEventFd(fds[1])
  expect(poller.wait(1e9)).toBe(1)
  host.writeEventFd(fds[0])
  expect(poller.wait(1e9)).toBe(2)
  host.closeFd(fds[1])
  expect(() => poller.wait(0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  host.closeFd(fds[0])
})

test('a wait allocates nothing', (context) => {
  requires(context)
  const host = new LinuxHost()
  const fd = host.createEventFd()
  const poller = host.createPoller([fd])
  for (let i = 0; i < 10_000; i++) poller.wait(0)
  global.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 100_000; i++) poller.wait(0)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000)
  host.closeFd(fd)
})

test('a watcher calls once for each resume, inside the loop: promises run', async (context) => {
  requires(context)
  if (!isMainThread) context.skip('only the main thread has a loop that can be watched')
  const host = new LinuxHost()
  const fd = host.createEventFd()
  const order: string[] = []
  const watcher = host.watch(fd, () => {
    order.push('ready')
    void Promise.resolve().then(() => order.push('promise'))
  })
  if (watcher === undefined) context.skip('node hides libuv')
  host.writeEventFd(fd)
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(order).toEqual([])
  watcher?.resume()
  await new Promise((resolve) => setTimeout(resolve, 10))
  // Level-triggered and not drained: still only one call.
  expect(order).toEqual(['ready', 'promise'])
  watcher?.resume()
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(order).toEqual(['ready', 'promise', 'ready', 'promise'])
  watcher?.resume()
  watcher?.close()
  watcher?.close()
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(order).toHaveLength(4)
  host.closeFd(fd)
})

test('a hundred watchers come and go', async (context) => {
  requires(context)
  if (!isMainThread) context.skip('only the main thread has a loop that can be watched')
  const host = new LinuxHost()
  let called = 0
  for (let i = 0; i < 100; i++) {
    const fd = host.createEventFd()
    host.writeEventFd(fd)
    await new Promise<void>((resolve) => {
      const watcher = host.watch(fd, () => {
        called++
        watcher?.close()
        host.closeFd(fd)
        resolve()
      })
      watcher?.resume()
    })
  }
  expect(called).toBe(100)
})

test('pins the thread to a core that it may use, and refuses others', (context) => {
  requires(context)
  const host = new LinuxHost()
  const cores = host.cpus()
  expect(cores.length).toBeGreaterThan(0)
  host.pinThread(cores[0])
  expect(allowedCores()).toEqual([cores[0]])
  pinThread(cores)
  expect(allowedCores()).toEqual(cores)
  for (const cpu of [-1, 1.5, 1023]) {
    expect(() => host.pinThread(cpu)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  }
})

test('errno numbers become typed errors with the call, the object and a remedy', () => {
  expect(systemError(1, { call: 'bpf', subject: 'veth0' })).toMatchObject({
    code: 'EPERM',
    subject: 'veth0',
    remedy: expect.stringContaining('CAP_NET_ADMIN'),
    message: expect.stringContaining('bpf failed'),
  })
  expect(systemError(95, { call: 'x', subject: 'y' }).code).toBe('ENOTSUP')
  expect(systemError(12345, { call: 'x', subject: 'y' })).toMatchObject({
    code: 'EIO',
    message: expect.stringContaining('12345'),
  })
})

test('system calls answer errors by errno, never by throwing', (context) => {
  requires(context)
  expect(calls().close(99_999)).toBe(-1)
})
