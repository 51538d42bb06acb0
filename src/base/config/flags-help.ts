/** The flags as help text. */
import { defaultConfigFile } from './load.ts';
import { flaggedSettings, flagOf } from './flags-layer.ts';
import { fold } from './render.ts';

/** One paragraph a flag of `gantry serve`: its name and value, what it is for, its default. */
export function flagsHelp(): string {
  const config = flagHelp('--config FILE', `The configuration file, with drop-ins in FILE.d/*.toml. (default: ${defaultConfigFile}, which need not exist)`);
  const others = flaggedSettings.map(({ setting }) => {
    const { kind, about } = setting;
    const more = kind.repeatable ? ' May be given more than once, or with commas.' : '';
    return flagHelp(`${flagOf(setting)} ${placeholder(kind)}`, `${about}${more} (default: ${kind.write(setting.default)})`);
  });
  return [config, ...others].join('\n');
}

function placeholder(kind: { readonly name: string; readonly choices?: readonly string[] }): string {
  if (kind.choices !== undefined) return kind.choices.join('|');
  return kind.name.includes('path') ? 'PATH' : kind.name.toUpperCase();
}

function flagHelp(head: string, text: string): string {
  return `  ${head}\n${fold(text, '      ', 100)}`;
}
