import { type AdminCommand, getFeature, getLogPage, setFeature } from '../admin/command.ts'
import { FEATURE_TEMPERATURE_THRESHOLD, SELECT_CURRENT } from '../spec/features.ts'
import { parseNamespaceList } from '../spec/identify.ts'
import {
  ERROR_ENTRY_BYTES,
  type ErrorLogEntry,
  FIRMWARE_BYTES,
  type FirmwareLog,
  LOG_CHANGED_NAMESPACES,
  LOG_ERROR,
  LOG_FIRMWARE,
  LOG_SMART,
  parseErrorLog,
  parseFirmware,
  parseSmart,
  SMART_BYTES,
  type SmartLog,
} from '../spec/log-pages.ts'

type Ask = (command: AdminCommand) => Promise<{ readonly value: number; readonly data: Uint8Array }>

/** Log pages and features: what a controller tells of itself while it works. All calls have the errors of `NvmeDevice.ask`. */
export class DeviceHealth {
  readonly #ask: Ask

  constructor(ask: Ask) {
    this.#ask = ask
  }

  async smart(): Promise<SmartLog> {
    return parseSmart((await this.#ask(getLogPage(LOG_SMART, SMART_BYTES))).data)
  }

  /** The newest errors first. @param most entries, 1 to 64 */
  async errors(most = 16): Promise<ErrorLogEntry[]> {
    return parseErrorLog((await this.#ask(getLogPage(LOG_ERROR, most * ERROR_ENTRY_BYTES))).data)
  }

  async firmware(): Promise<FirmwareLog> {
    return parseFirmware((await this.#ask(getLogPage(LOG_FIRMWARE, FIRMWARE_BYTES))).data)
  }

  /** Namespaces that changed since this was last read. */
  async changedNamespaces(): Promise<number[]> {
    return parseNamespaceList((await this.#ask(getLogPage(LOG_CHANGED_NAMESPACES, 4096))).data)
  }

  /** Dword 0 of the answer. `feature` and `select` are in `spec/features.ts`. */
  async feature(feature: number, namespace = 0, select = SELECT_CURRENT): Promise<number> {
    return (await this.#ask(getFeature(feature, namespace, select))).value
  }

  async setFeature(feature: number, value: number, namespace = 0, save = false): Promise<number> {
    return (await this.#ask(setFeature(feature, value, namespace, save))).value
  }

  /** Kelvin at and above which the controller warns. */
  async setTemperatureThreshold(kelvin: number): Promise<void> {
    await this.setFeature(FEATURE_TEMPERATURE_THRESHOLD, kelvin & 0xffff)
  }
}
