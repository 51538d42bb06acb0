/** The command line as declared flags and operands. One declaration gives the parser, the errors and the help. */
import { suggestion } from '../../base/config/nearest.ts';
import { parseDuration } from './human.ts';

export interface Flag {
  readonly name: string;
  /** One letter, for `-o`. */
  readonly short?: string;
  /** Placeholder of the value (`N`, `DURATION`); a flag without one is a switch. */
  readonly value?: string;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export interface Syntax {
  readonly flags: readonly Flag[];
  /** Placeholders of the operands, for messages: `['CONTAINER', 'COMMAND']`. */
  readonly operands: readonly string[];
  /** The last operand may be given many times. */
  readonly many?: boolean;
  /** Flags are looked for only before the first operand: what follows belongs to somebody else (`exec`). */
  readonly flagsFirst?: boolean;
}

/** The command line is wrong: exit code 2, and the message says which word. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A parsed command line. Values are checked when asked for; a wrong one is a UsageError that names its flag. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>, operands: readonly string[]) {
    this.#values = values;
    this.operands = operands;
  }

  /** Whether a switch was given. */
  on(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** A whole number, zero or more. */
  whole(name: string): number | undefined {
    const text = this.#values.get(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} wants a whole number, not ${JSON.stringify(text)}`);
    return Number(text);
  }

  /** A duration (`90`, `30s`, `1h30m`) in milliseconds. */
  durationMs(name: string): number | undefined {
    const text = this.#values.get(name);
    if (text === undefined) return undefined;
    const duration = parseDuration(text);
    if (duration === undefined) throw new UsageError(`--${name} wants a duration such as 30s or 1h30m, not ${JSON.stringify(text)}`);
    return duration;
  }
}

/** Parses what follows the command's name. Repeated flags: the last one counts. */
export function parseArguments(argv: readonly string[], syntax: Syntax): Arguments {
  const values = new Map<string, string>();
  const operands: string[] = [];
  let at = 0;
  let flagsEnded = false;

  const take = (flag: Flag, spelling: string, attached: string | undefined) => {
    if (flag.value === undefined) {
      if (attached !== undefined) throw new UsageError(`${spelling} takes no value`);
      values.set(flag.name, '');
      return;
    }
    const value = attached ?? argv[at++];
    if (value === undefined) throw new UsageError(`${spelling} wants a value: ${spelling} ${flag.value}`);
    if (flag.choices && !flag.choices.includes(value)) {
      throw new UsageError(`${spelling} is one of ${flag.choices.join(', ')}, not ${JSON.stringify(value)}`);
    }
    values.set(flag.name, value);
  };

  while (at < argv.length) {
    const word = argv[at++]!;
    if (flagsEnded || word === '-' || !word.startsWith('-')) {
      operands.push(word);
      flagsEnded ||= syntax.flagsFirst === true;
    } else if (word === '--') {
      flagsEnded = true;
    } else if (word.startsWith('--')) {
      const [name = '', ...rest] = word.slice(2).split('=');
      const flag = syntax.flags.find((one) => one.name === name);
      if (!flag) throw new UsageError(`unknown flag --${name}${suggestion(name, syntax.flags.map((one) => one.name))}`);
      take(flag, `--${name}`, rest.length > 0 ? rest.join('=') : undefined);
    } else {
      takeShort(word);
    }
  }
  checkCount(operands, syntax);
  return new Arguments(values, operands);

  /** `-q`, switches together as in `-aq`, and a value behind its letter as in `-ojson`. */
  function takeShort(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const flag = syntax.flags.find((one) => one.short === word[i]);
      if (!flag) throw new UsageError(`unknown flag -${word[i]}${word.length > 2 ? ` in ${word}` : ''}`);
      const rest = flag.value !== undefined && i + 1 < word.length ? word.slice(i + 1) : undefined;
      take(flag, `-${word[i]}`, rest);
      if (rest !== undefined) return;
    }
  }
}

function checkCount(operands: readonly string[], syntax: Syntax): void {
  const missing = syntax.operands[operands.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  if (!syntax.many && operands.length > syntax.operands.length) {
    throw new UsageError(`one word too many: ${JSON.stringify(operands[syntax.operands.length])}`);
  }
}
