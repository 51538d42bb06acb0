/** Completion scripts: commands with their summaries, and the flags of the daemon with their choices. */
import { flaggedSettings, flagOf } from '../base/config/flags-layer.ts';
import { configSubcommands } from './config-command.ts';
import { registrySubcommands } from './registry-command.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

interface Completable {
  readonly name: string;
  readonly summary: string;
  /** What may come next; most commands take names of things on the node, which are not completed. */
  readonly words?: readonly string[];
}

interface CompletableFlag {
  readonly flag: string;
  /** The words it takes; none when it takes a path or free text. */
  readonly choices: readonly string[];
}

const daemonFlags: readonly CompletableFlag[] = [
  { flag: '--config', choices: [] },
  ...flaggedSettings.map(({ setting }) => ({ flag: flagOf(setting)!, choices: setting.kind.choices ?? [] })),
];

/** The script for a shell, undefined when it is not one of `shells`. */
export function completionScript(shell: string, commands: readonly Completable[]): string | undefined {
  if (shell === 'bash') return bash(commands);
  if (shell === 'zsh') return zsh(commands);
  if (shell === 'fish') return fish(commands);
  return undefined;
}

const names = (commands: readonly Completable[]): string => commands.map(({ name }) => name).join(' ');
/** Second words of commands, completed as such. */
const withWords = (commands: readonly Completable[]): { name: string; words: string }[] => commands.flatMap(({ name, words }) => (words === undefined ? [] : [{ name, words: words.join(' ') }]));
const withChoices = daemonFlags.filter(({ choices }) => choices.length > 0);
const allFlags = daemonFlags.map(({ flag }) => flag).join(' ');

function bash(commands: readonly Completable[]): string {
  const cases = withChoices.map(({ flag, choices }) => `    ${flag}) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$word")); return ;;`);
  return `# bash completion of gantry; load it with: source <(gantry completion bash)
_gantry() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names(commands)}' -- "$word"))
    return
  fi
  case $before in
${cases.join('\n')}
  esac
  case $command in
    serve) COMPREPLY=($(compgen -W '${allFlags}' -- "$word") $(compgen -f -- "$word")) ;;
    config) COMPREPLY=($(compgen -W '${configSubcommands.join(' ')} ${allFlags}' -- "$word") $(compgen -f -- "$word")) ;;
    registry) COMPREPLY=($(compgen -W '${registrySubcommands.join(' ')} ${allFlags}' -- "$word")) ;;
    completion) COMPREPLY=($(compgen -W '${shells.join(' ')}' -- "$word")) ;;
    help) COMPREPLY=($(compgen -W '${names(commands)}' -- "$word")) ;;
${withWords(commands).map(({ name, words }) => `    ${name}) COMPREPLY=($(compgen -W '${words}' -- "$word") $(compgen -f -- "$word")) ;;`).join('\n')}
  esac
}
complete -F _gantry gantry
`;
}

/** A text inside single quotes, for zsh and fish alike. */
function singleQuoted(text: string, escape: string): string {
  return `'${text.replaceAll("'", escape)}'`;
}

function zsh(commands: readonly Completable[]): string {
  const described = commands.map(({ name, summary }) => `    ${singleQuoted(`${name}:${summary.replaceAll(':', '\\:')}`, `'\\''`)}`);
  const flags = daemonFlags.map(({ flag, choices }) => `        '*${flag}=[]:value:${choices.length > 0 ? `(${choices.join(' ')})` : '_files'}'`);
  return `#compdef gantry
# zsh completion of gantry; put it into a folder of $fpath as _gantry
_gantry() {
  local -a commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
    serve | config)
      _arguments \\
${flags.join(' \\\n')} \\
        '2:command:(${configSubcommands.join(' ')})' '*:file:_files'
      ;;
    registry) compadd ${registrySubcommands.join(' ')} ;;
    completion) compadd ${shells.join(' ')} ;;
    help) _describe command commands ;;
${withWords(commands).map(({ name, words }) => `    ${name}) (( CURRENT == 3 )) && compadd ${words} || _files ;;`).join('\n')}
  esac
}
_gantry "$@"
`;
}

function fish(commands: readonly Completable[]): string {
  const first = commands.map(({ name, summary }) => `complete -c gantry -f -n __fish_use_subcommand -a ${name} -d ${singleQuoted(summary, `\\'`)}`);
  const flags = daemonFlags.map(({ flag, choices }) => {
    const values = choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : ' -r';
    return `complete -c gantry -n '__fish_seen_subcommand_from serve config' -l ${flag.slice(2)}${values}`;
  });
  return `# fish completion of gantry; save it as ~/.config/fish/completions/gantry.fish
${first.join('\n')}
${flags.join('\n')}
complete -c gantry -f -n '__fish_seen_subcommand_from config' -a '${configSubcommands.join(' ')}'
complete -c gantry -f -n '__fish_seen_subcommand_from registry' -a '${registrySubcommands.join(' ')}'
complete -c gantry -f -n '__fish_seen_subcommand_from completion' -a '${shells.join(' ')}'
${withWords(commands).map(({ name, words }) => `complete -c gantry -n '__fish_seen_subcommand_from ${name}' -a '${words}'`).join('\n')}
complete -c gantry -f -n '__fish_seen_subcommand_from help' -a '${names(commands)}'
`;
}
