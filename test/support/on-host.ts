import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** Runs a program of the node's that must succeed, and returns what it printed. */
export function onHost(file: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, `${file} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
