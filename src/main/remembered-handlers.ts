import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../base/config/schema.ts';
import type { Table } from '../part/store/store.ts';

export type HandlerSettings = Config['runtime']['handlers'];

/** A handler's settings on record. */
export interface HandlerRecord {
  readonly name: string;
  readonly settings: HandlerSettings[string];
}

/** Puts the configured handlers on record: their pods outlive the daemon, and may outlive their place in the configuration. */
export function rememberHandlers(records: Table<HandlerRecord>, configured: HandlerSettings): void {
  for (const [name, settings] of Object.entries(configured)) {
    const record: HandlerRecord = { name, settings };
    if (!isDeepStrictEqual(records.get(name), record)) records.put(name, record);
  }
}

/** The handlers on record that are not configured any more and are in use still. Those that are not are forgotten. */
export function retiredHandlers(records: Table<HandlerRecord>, { configured, inUse }: { configured: HandlerSettings; inUse: ReadonlySet<string> }): HandlerSettings {
  const retired: Record<string, HandlerSettings[string]> = {};
  for (const { name, settings } of records.all()) {
    if (name in configured) continue;
    if (inUse.has(name)) retired[name] = settings;
    else records.delete(name);
  }
  return retired;
}
