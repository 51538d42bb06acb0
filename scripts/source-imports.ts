/**
 * What a TypeScript source imports, read without a compiler (TypeScript 7 offers no API): comments, strings and regular
 * expressions are recognised, so that neither a commented import nor one inside a text is taken for real.
 */

export interface SourceImport {
  /** The module as written: `../base/errors.ts`, `node:fs`, `koffi`. */
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
  /** Vanishes when the types are stripped. */
  readonly typeOnly: boolean;
  /** The names between the braces, without `type` and `as …`; empty for other forms. */
  readonly names: readonly string[];
}

const importForms: readonly RegExp[] = [
  // import x from 'm', import type { x } from 'm', export { x } from 'm', export * from 'm'
  /(?<=^|[;}\n])[ \t]*(?:import|export)\b(?<clause>[^'"`;=()]*?)\bfrom\s*(?<quote>['"])(?<specifier>[^'"\n]+)\k<quote>/g,
  // import 'm'
  /(?<=^|[;}\n])[ \t]*import\s*(?<quote>['"])(?<specifier>[^'"\n]+)\k<quote>/g,
  // import('m'), require('m'), process.getBuiltinModule('m')
  /\b(?:import|require|getBuiltinModule)\s*\(\s*(?<quote>['"])(?<specifier>[^'"\n]+)\k<quote>/g,
  // new URL('./worker.ts', import.meta.url)
  /\bnew URL\(\s*(?<quote>['"])(?<specifier>\.[^'"\n]+\.[jt]s)\k<quote>\s*,\s*import\.meta\.url/g,
];

/** All imports of a source, also dynamic ones and worker files, in the order of their lines. */
export function importsOf(source: string): SourceImport[] {
  const code = blankComments(source);
  const found = importForms.flatMap((form) => [...code.matchAll(form)].map((match) => sourceImport(code, match)));
  return found.sort((a, b) => a.line - b.line);
}

function sourceImport(code: string, match: RegExpMatchArray): SourceImport {
  const { clause = '', specifier = '' } = match.groups ?? {};
  const braces = /\{([^}]*)\}/.exec(clause)?.[1];
  const entries = (braces ?? '').split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
  const allTypes = entries.length > 0 && entries.every((entry) => entry.startsWith('type ')) && /^\s*\{/.test(clause);
  return {
    specifier,
    line: lineAt(code, match.index! + match[0].lastIndexOf(specifier)),
    typeOnly: /^\s*type\b/.test(clause) || allTypes,
    names: entries.map((entry) => entry.replace(/^type\s+/, '').replace(/\s+as\s+.*/, '')),
  };
}

/** The 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/**
 * The source with every comment, text and regular expression turned into spaces, and line ends kept; strings that could
 * name a module stay.
 */
export function blankComments(source: string): string {
  let out = '';
  let at = 0;
  while (at < source.length) {
    const end = endOfToken(source, at, out);
    const token = source.slice(at, end);
    out += keeps(token) ? token : token.replace(/[^\n]/g, ' ');
    at = end;
  }
  return out;
}

function keeps(token: string): boolean {
  return token.length === 1 || /^(['"])[\w@./:-]+\1$/.test(token);
}

/** Where the comment, string, template or regular expression that begins at `at` ends; `at + 1` for anything else. */
function endOfToken(source: string, at: number, before: string): number {
  const two = source.slice(at, at + 2);
  if (two === '//') return orEnd(source.indexOf('\n', at), source);
  if (two === '/*') return orEnd(source.indexOf('*/', at + 2), source, 2);
  const char = source[at];
  if (char === "'" || char === '"' || char === '`') return endOfQuoted(source, at, char);
  // A slash begins a regular expression where no value can stand before it.
  if (char === '/' && /(?:^|[(,=:[!&|?{};+\n]|\breturn|=>)\s*$/.test(before.slice(-40))) return endOfRegExp(source, at);
  return at + 1;
}

function orEnd(found: number, source: string, extra = 0): number {
  return found === -1 ? source.length : found + extra;
}

function endOfQuoted(source: string, at: number, quote: string): number {
  for (let i = at + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === quote) return i + 1;
  }
  return source.length;
}

function endOfRegExp(source: string, at: number): number {
  let inClass = false;
  for (let i = at + 1; i < source.length && source[i] !== '\n'; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '[') inClass = true;
    else if (source[i] === ']') inClass = false;
    else if (source[i] === '/' && !inClass) return i + 1;
  }
  return at + 1;
}
