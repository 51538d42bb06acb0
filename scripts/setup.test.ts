import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';

const script = path.join(import.meta.dirname, 'setup.sh');
const shellTools = ['sh', 'dirname', 'uname', 'awk', 'tr', 'id', 'cat', 'sed', 'ldd', 'cksum', 'grep', 'flock'];

/** Runs setup.sh on a machine of the given distribution where nothing but the shell's own tools is installed. */
function setupOn(t: TestContext, osRelease: string, fakes: Record<string, string> = {}): { status: number | null; stderr: string } {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'gantry-setup-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const bin = path.join(dir, 'bin');
  mkdirSync(bin);
  for (const tool of shellTools) {
    const real = ['/usr/bin', '/bin'].map((folder) => path.join(folder, tool)).find((file) => existsSync(file));
    if (real !== undefined && fakes[tool] === undefined) symlinkSync(real, path.join(bin, tool));
  }
  for (const [name, text] of Object.entries(fakes)) writeFileSync(path.join(bin, name), text, { mode: 0o755 });
  writeFileSync(path.join(dir, 'os-release'), osRelease);
  return spawnSync('/bin/sh', [script], { encoding: 'utf8', env: { PATH: bin, GANTRY_OS_RELEASE: path.join(dir, 'os-release') } });
}

test('on Fedora it names what is missing by the package names of Fedora, and changes nothing', (t) => {
  const { status, stderr } = setupOn(t, 'ID=nobara\nID_LIKE="fedora"\n');

  assert.equal(status, 1);
  assert.match(stderr, /^ {2}conmon +package conmon$/m);
  assert.match(stderr, /^ {2}docker-registry +package docker-distribution$/m);
  assert.match(stderr, /dnf install .*docker-distribution/);
});

test('a program that a distribution does not package is said to need building', (t) => {
  const { stderr } = setupOn(t, 'ID=arch\n');

  assert.match(stderr, /^ {2}docker-registry +not packaged: build it from source$/m);
  assert.match(stderr, /pacman -S /);
});

test('on a distribution it does not know it gives the names of Debian', (t) => {
  const { status, stderr } = setupOn(t, 'ID=nixos\n');

  assert.equal(status, 1);
  assert.match(stderr, /missing here:/);
  assert.match(stderr, /^ {2}conmon +package conmon$/m);
  assert.match(stderr, /package names as on Debian/);
});

test('on Debian without root it says what is missing and how to get it installed', (t) => {
  const { status, stderr } = setupOn(t, 'ID=debian\n', { id: '#!/bin/sh\necho 1000\n', 'apt-get': '#!/bin/sh\nexit 99\n' });

  assert.equal(status, 1);
  assert.match(stderr, /^setup: missing: .*conmon.* installing them needs root: sudo sh scripts\/setup\.sh$/m);
});
