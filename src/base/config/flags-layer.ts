/** The flags of `gantry serve` and `gantry config`, and the layer that they make. */
import { keyedSettings } from './keys.ts';
import type { KeyedSetting } from './keys.ts';
import { LayerBuilder } from './layer.ts';
import type { Layer } from './layer.ts';
import { suggestion } from './nearest.ts';

/** A command line taken apart: nothing in it is checked yet but that the flags exist and have their texts. */
export interface CommandLine {
  /** Every text that each setting's flag was given, in order. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly configFile?: string;
  readonly help: boolean;
  /** What is not a flag. */
  readonly operands: readonly string[];
  /** What is wrong with the command line itself. */
  readonly problems: readonly string[];
}

/** The settings that have a flag. */
export const flaggedSettings: readonly KeyedSetting[] = keyedSettings.filter(({ setting }) => flagOf(setting) !== undefined);

export function flagOf(setting: KeyedSetting['setting']): string | undefined {
  return 'flag' in setting ? setting.flag : undefined;
}

const settingFlags = new Set(flaggedSettings.map(({ setting }) => flagOf(setting)!));
const allFlags = ['--config', '--help', ...settingFlags];

/** Takes a command line apart: `--flag value`, `--flag=value`, `--` before operands that begin with a dash. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const flags = new Map<string, string[]>();
  const operands: string[] = [];
  const problems: string[] = [];
  let configFile: string | undefined;
  let help = false;

  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      operands.push(...rest);
      break;
    }
    if (word === '--help' || word === '-h') {
      help = true;
      continue;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!allFlags.includes(name)) {
      problems.push(`unknown flag ${name}${suggestion(name, allFlags)}`);
      continue;
    }
    const text = equals < 0 ? rest.shift() : word.slice(equals + 1);
    if (text === undefined || (equals < 0 && text.startsWith('--'))) problems.push(`${name} needs a value`);
    else if (name === '--config') configFile = text;
    else flags.set(name, [...(flags.get(name) ?? []), text]);
  }
  return { flags, operands, problems, help, ...(configFile === undefined ? {} : { configFile }) };
}

/** Reads the flags' texts. A flag given twice: a list adds up, of anything else the last counts. */
export function readFlags(flags: CommandLine['flags']): Layer {
  const layer = new LayerBuilder();
  for (const { key, setting } of flaggedSettings) {
    const flag = flagOf(setting)!;
    const texts = flags.get(flag);
    if (texts === undefined) continue;
    const { fromText, repeatable } = setting.kind;
    const raw = repeatable ? texts.flatMap((text) => fromText(text)) : fromText(texts.at(-1)!);
    layer.read({ key, setting, raw, origin: `flag ${flag}` });
  }
  return layer;
}
