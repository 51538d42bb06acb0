/** The version of this program, from its package.json. */
import { readFileSync } from 'node:fs';

export function ownVersion(): string {
  // The same way up from src/main and from dist/main.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
