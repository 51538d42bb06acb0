/** The layer of the environment: `GANTRY_` and the key in capitals. */
import { keyedSettings } from './keys.ts';
import { LayerBuilder } from './layer.ts';
import type { Layer } from './layer.ts';
import { suggestion } from './nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable that names the configuration file, as `--config` does. */
export const configVariable = 'GANTRY_CONFIG';

/** The variable that says what is to break, where `debug.faults` allows it: src/base/fault-plan.ts. */
export const faultsVariable = 'GANTRY_FAULTS';

/** Reads every `GANTRY_` variable; one that is empty counts as not set. */
export function readEnvironment(environment: Environment): Layer {
  const layer = new LayerBuilder();
  for (const { key, environment: name, setting } of keyedSettings) {
    const text = environment[name];
    if (text === undefined || text === '') continue;
    layer.read({ key, setting, raw: setting.kind.fromText(text), origin: `environment ${name}` });
  }
  return layer;
}

/**
 * A sentence for each `GANTRY_` variable that means nothing here. They are not errors: whoever starts the daemon may
 * have variables of that name for other reasons.
 */
export function strayVariables(environment: Environment): string[] {
  const known = [configVariable, faultsVariable, ...keyedSettings.map((setting) => setting.environment)];
  return Object.keys(environment)
    .filter((name) => name.startsWith('GANTRY_') && !known.includes(name))
    .sort()
    .map((name) => `environment ${name} is not a setting and is ignored${suggestion(name, known)}`);
}
