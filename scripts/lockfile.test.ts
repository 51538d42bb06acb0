import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface Locked {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as { packages: Record<string, Locked> };

// npm writes a lock without the parts for other platforms when its registry does not have them; npm ci then refuses that lock.
test('the lock has every optional part of every package, so that npm ci accepts it on both architectures', () => {
  const missing = Object.values(lock.packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => lock.packages[`node_modules/${name}`] === undefined);

  assert.deepEqual(missing, []);
});

test('the lock names no registry, so that everybody installs from their own', () => {
  assert.deepEqual(Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined), []);
});
