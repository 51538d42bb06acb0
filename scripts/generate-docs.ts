/**
 * Writes docs/configuration.md from the configuration's schema. With `--check` it writes nothing and exits with 1 when
 * the file is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationReference } from '../src/base/config/reference.ts';

const file = new URL('../docs/configuration.md', import.meta.url);
const wanted = configurationReference();

if (!process.argv.includes('--check')) {
  writeFileSync(file, wanted);
} else if (read() !== wanted) {
  console.error('docs/configuration.md is stale: run "node scripts/generate-docs.ts"');
  process.exitCode = 1;
}

function read(): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
