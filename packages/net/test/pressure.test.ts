import { assertNoLeaks } from '@parakernel/hal'
import { DatagramBurst, KEEP_FRAME, parseIpv4, REPLY_HEADROOM, type ScatterGatherArray } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { udpFrame } from './support/frames.ts'
import { Machines, MILLISECOND } from './support/machines.ts'
import { counter, readIpv4, stackAndWire, teach } from './support/wire.ts'

describe('a full transmit ring', () => {
  it('lets answers wait in order, and drops and counts what is beyond the backlog', async () => {
    // The client's ring is small and its NIC makes senders wait, so that the server's transmissions back up.
    const bench = await stackAndWire({ transmitBacklog: 64 }, { wireNic: { ringSize: 16 }, frames: 1024 })
    const { machines, machine, libos, wire } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    })
    for (let i = 0; i < 300; i++) {
      wire.send(udpFrame({ payload: Uint8Array.of(i >> 8, i & 255) }))
      machines.loop.runOnce()
    }
    const answers: number[] = []
    for (let round = 0; round < 100; round++) {
      answers.push(...wire.receive().map(({ payload }) => (payload[28] << 8) | payload[29]))
      machines.loop.runOnce()
    }
    const dropped = counter(libos, 'drop.outBacklogFull')
    expect(dropped).toBeGreaterThan(0)
    expect(answers.length + dropped).toBe(300)
    expect(answers).toEqual([...answers].sort((a, b) => a - b))
    expect(counter(libos, 'ip.ipSystemStatsOutDiscards')).toBe(dropped)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('makes sendDatagrams take less, and lose nothing', async () => {
    const bench = await stackAndWire({ transmitBacklog: 8 }, { wireNic: { ringSize: 16 } })
    teach(bench)
    const { machines, machine, libos, wire } = bench
    const qd = libos.socket('datagram')
    const burst = new DatagramBurst(64)
    for (let i = 0; i < 64; i++) {
      const frame = machine.pool.allocate()
      burst.frame[i] = frame
      burst.address[i] = machine.pool.address(frame) + REPLY_HEADROOM
      burst.length[i] = 4
      burst.peerAddress[i] = parseIpv4('10.0.0.2')
      burst.peerPort[i] = 9
    }
    burst.count = 64
    const taken = libos.sendDatagrams(qd, burst)
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(64)
    for (let i = taken; i < 64; i++) machine.pool.release(burst.frame[i])
    let seen = 0
    for (let round = 0; round < 20; round++) {
      seen += wire.receive().length
      machines.run(MILLISECOND)
    }
    expect(seen).toBe(taken)
    await machines.close()
    assertNoLeaks(machine.pool)
  })
})

describe('sendDatagrams', () => {
  it('takes no more than may wait for an unresolved neighbour', async () => {
    const { machines, machine, libos } = await stackAndWire({ arpWaiting: 4 })
    const burst = new DatagramBurst(10)
    const address = parseIpv4('10.0.0.2')
    for (let i = 0; i < 10; i++) {
      const frame = machine.pool.allocate()
      burst.frame[i] = frame
      burst.address[i] = machine.pool.address(frame) + REPLY_HEADROOM
      burst.peerAddress[i] = address
      burst.peerPort[i] = 9
    }
    burst.count = 10
    expect(libos.sendDatagrams(libos.socket('datagram'), burst)).toBe(4)
    for (let i = 4; i < 10; i++) machine.pool.release(burst.frame[i])
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('drops and counts datagrams that do not lie in their frame, or may not go where they shall', async () => {
    const { machines, machine, libos } = await stackAndWire()
    const { pool } = machine
    const bad: readonly [address: string, offset: number, length: number, port: number][] = [
      ['10.0.0.2', REPLY_HEADROOM - 1, 4, 9],
      ['10.0.0.2', 2000, 100, 9],
      ['10.0.0.2', REPLY_HEADROOM, -1, 9],
      ['10.0.0.2', REPLY_HEADROOM, 4, 0],
      ['255.255.255.255', REPLY_HEADROOM, 4, 9],
      ['0.0.0.0', REPLY_HEADROOM, 4, 9],
    ]
    const burst = new DatagramBurst(bad.length)
    bad.forEach(([address, offset, length, port], i) => {
      const frame = pool.allocate()
      burst.frame[i] = frame
      burst.address[i] = pool.address(frame) + offset
      burst.length[i] = length
      burst.peerAddress[i] = parseIpv4(address)
      burst.peerPort[i] = port
    })
    burst.count = bad.length
    expect(libos.sendDatagrams(libos.socket('datagram'), burst)).toBe(bad.length)
    expect(counter(libos, 'drop.outInvalid')).toBe(bad.length)
    await machines.close()
    assertNoLeaks(pool)
  })
})

describe('an answer', () => {
  it('is refused and counted when it does not fit its frame', async () => {
    const { machines, machine, libos, wire } = await stackAndWire()
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const rooms: number[] = []
    libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        rooms.push(burst.room[i])
        burst.reply[i] = 70_000
      }
    })
    expect(wire.exchange(udpFrame())).toEqual([])
    expect(rooms).toEqual([1472])
    expect(counter(libos, 'drop.outInvalid')).toBe(1)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('does not overwrite a frame that somebody else reads: it goes out from a copy', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { machines, machine, libos, wire } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    let kept = -1
    let before: Uint8Array | undefined
    const bytes = (frame: number) =>
      machine.pool.bytes.slice(machine.pool.address(frame), machine.pool.address(frame + 1))
    libos.serveDatagrams(qd, (burst) => {
      kept = burst.frame[0]
      machine.pool.retain(kept)
      before = bytes(kept)
      burst.reply[0] = burst.length[0]
    })
    const [answer] = wire.exchange(udpFrame({ payload: Uint8Array.of(1, 2, 3) }))
    expect(readIpv4(answer.payload).payload.slice(8)).toEqual(Uint8Array.of(1, 2, 3))
    expect(bytes(kept)).toEqual(before)
    machine.pool.release(kept)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('goes out whatever another socket of the same burst does', async () => {
    const { machines, machine, libos, wire } = await stackAndWire()
    const [first, second] = [libos.socket('datagram'), libos.socket('datagram')]
    libos.bind(first, { address: '0.0.0.0', port: 7 })
    libos.bind(second, { address: '0.0.0.0', port: 8 })
    libos.serveDatagrams(first, (burst) => {
      libos.serveDatagrams(second, undefined)
      for (let i = 0; i < burst.count; i++) burst.reply[i] = 0
    })
    libos.serveDatagrams(second, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = 0
    })
    wire.send(udpFrame({ destinationPort: 7 }))
    wire.send(udpFrame({ destinationPort: 8 }))
    wire.send(udpFrame({ destinationPort: 7 }))
    machines.run(MILLISECOND)
    expect(wire.receive().length).toBe(2)
    await machines.close()
    assertNoLeaks(machine.pool)
  })
})

describe('an application that hoards frames', () => {
  it('gets no more datagrams at the watermark; echo and the devices go on', async () => {
    const bench = await stackAndWire({ receiveQueue: 1000 }, { frames: 256, deviceReserve: 64 })
    const { machines, machine, libos, wire } = bench
    const [hoarder, echo] = [libos.socket('datagram'), libos.socket('datagram')]
    libos.bind(hoarder, { address: '0.0.0.0', port: 9 })
    libos.bind(echo, { address: '0.0.0.0', port: 7 })
    libos.serveDatagrams(echo, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    })
    for (let i = 0; i < 400; i++) {
      wire.send(udpFrame({ destinationPort: 9, payload: new Uint8Array(1000) }))
      machines.loop.runOnce()
    }
    const dropped = counter(libos, 'drop.udpPoolLow')
    expect(dropped).toBeGreaterThan(0)
    expect(counter(libos, 'udp.udpInDatagrams') + dropped).toBe(400)
    expect(wire.exchange(udpFrame({ payload: Uint8Array.of(1) })).length).toBe(1)
    const hoard: ScatterGatherArray[] = []
    for (let i = 0; i < 400 - dropped; i++) {
      const completion = machine.runtime.wait(libos.pop(hoarder), 0)
      if (completion.kind === 'pop') hoard.push(completion.sga)
    }
    for (const sga of hoard) sga.free()
    const pop = libos.pop(hoarder)
    wire.exchange(udpFrame({ destinationPort: 9, payload: Uint8Array.of(5) }))
    const completion = machine.runtime.wait(pop, 0)
    if (completion.kind !== 'pop') throw new Error(completion.kind)
    expect(completion.sga.toBytes()).toEqual(Uint8Array.of(5))
    completion.sga.free()
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('keeps the bytes of short datagrams, and not a frame of each', async () => {
    const bench = await stackAndWire({ receiveQueue: 5000 }, { frames: 256, deviceReserve: 64 })
    const { machines, machine, libos, wire } = bench
    const hoarder = libos.socket('datagram')
    libos.bind(hoarder, { address: '0.0.0.0', port: 9 })
    const hoard: ScatterGatherArray[] = []
    for (let i = 0; i < 1500; i++) {
      const pop = libos.pop(hoarder)
      wire.exchange(udpFrame({ destinationPort: 9, payload: Uint8Array.of(i >> 8, i) }))
      const completion = machine.runtime.wait(pop, 0)
      if (completion.kind === 'pop') hoard.push(completion.sga)
    }
    // More than there are frames, and the devices have theirs.
    expect(hoard.length).toBe(1500)
    expect(counter(libos, 'udp.copiedOut')).toBeGreaterThan(1300)
    expect(machine.pool.available).toBeGreaterThan(64)
    for (const [i, sga] of hoard.entries()) {
      expect(sga.stale).toBe(false)
      expect(sga.toBytes()).toEqual(Uint8Array.of(i >> 8, i))
      sga.free()
    }
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('may keep frames from a handler, and answers for them itself', async () => {
    const { machines, machine, libos, wire } = await stackAndWire()
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const kept: number[] = []
    libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        kept.push(burst.frame[i])
        burst.reply[i] = KEEP_FRAME
      }
    })
    for (let i = 0; i < 50; i++) wire.send(udpFrame())
    machines.run(MILLISECOND)
    expect(kept.length).toBe(50)
    for (const frame of kept) machine.pool.release(frame)
    await machines.close()
    assertNoLeaks(machine.pool)
  })
})

describe('a device that goes away', () => {
  it('leaves no frame behind', async () => {
    const machines = new Machines()
    const a = await machines.add({ options: { address: '10.0.0.1/24' } })
    const qd = a.libos.socket('datagram')
    for (let i = 0; i < 10; i++) {
      const sga = a.libos.sgaAlloc(10)
      a.libos.pushTo(qd, sga, { address: '10.0.0.2', port: 9 })
      sga.free()
    }
    await machines.nics[0].close()
    machines.run(MILLISECOND)
    await machines.close()
  })
})
