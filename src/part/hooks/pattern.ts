/**
 * The regular expressions of hook files: POSIX extended ones by the schema, Go's by what is in use. Those of JavaScript are close; where they differ
 * in meaning a pattern is translated, or refused.
 */
import { createContext, Script } from 'node:vm';

/** How long a match may take. Patterns are the administrator's, but what they are held against may be a user's, and JavaScript backtracks. */
const deadlineMs = 200;

const classes: Readonly<Record<string, string>> = {
  alnum: 'a-zA-Z0-9', alpha: 'a-zA-Z', blank: ' \\t', cntrl: '\\x00-\\x1f\\x7f', digit: '0-9', graph: '!-~', lower: 'a-z', print: ' -~', punct: '!-\\/:-@\\[-`\\{-~', space: '\\s', upper: 'A-Z', word: '\\w',
  xdigit: '0-9a-fA-F',
};

/** Throws an Error when the text is no regular expression, or one that would mean something else here. */
export function compilePattern(text: string): RegExp {
  const insensitive = text.startsWith('(?i)');
  const translated = (insensitive ? text.slice(4) : text)
    .replace(/\[:(\w+):\]/g, (whole, name: string) => classes[name] ?? whole)
    // Any punctuation may be escaped in POSIX and Go; here only what has a meaning.
    .replace(/\\(.)/gs, (escape, char: string) => (/[-!"#%&',:;<=>@_`~ ]/.test(char) ? `\\x${char.charCodeAt(0).toString(16)}` : escape));
  try {
    return new RegExp(translated, insensitive ? 'ui' : 'u');
  } catch {
    throw new Error(`${JSON.stringify(text)} is no regular expression`);
  }
}

const sandbox: { pattern: RegExp; text: string } = { pattern: /(?:)/, text: '' };
const context = createContext(sandbox);
const test = new Script('pattern.test(text)');

/** Whether the pattern is found anywhere in the text. Throws an Error when that takes longer than a fifth of a second. */
export function matches(pattern: RegExp, text: string): boolean {
  sandbox.pattern = pattern;
  sandbox.text = text;
  return test.runInContext(context, { timeout: deadlineMs }) as boolean;
}
