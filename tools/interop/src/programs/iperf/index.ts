export { type IperfOptions, type IperfResult, iperf } from './client.ts'
export { IperfServer, type TestReport } from './server.ts'
