export * from './datagram-socket.ts'
