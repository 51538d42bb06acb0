/** The daemon's log as the configuration wants it. */
import type { Environment } from '../base/config/environment-layer.ts';
import type { Config } from '../base/config/schema.ts';
import type { LogSettings } from '../base/log-writer.ts';

/** Decides `auto`, and colours: for a terminal whose owner did not refuse them (NO_COLOR). */
export function logSettings(wanted: Config['log'], environment: Environment, isTerminal: boolean): LogSettings {
  const format = wanted.format === 'auto' ? (isTerminal ? 'pretty' : 'json') : wanted.format;
  return { level: wanted.level, format, colour: isTerminal && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb' };
}
