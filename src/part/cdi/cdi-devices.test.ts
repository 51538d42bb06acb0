import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { CdiDevices } from './cdi-devices.ts';
import type { ContainerEdits } from '../../base/container-edits.ts';

let scratch = '';
let low = '';
let high = '';
let warnings: string[] = [];
let cdi: CdiDevices;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-cdi-'));
  [low, high] = [join(scratch, 'etc'), join(scratch, 'run')];
  mkdirSync(low);
  mkdirSync(high);
  warnings = [];
  cdi = new CdiDevices({ folders: () => [low, high], log: { ...silentLogger, warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`) } });
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const edits = (...names: string[]): Promise<ContainerEdits[]> => cdi.edits(names.map((name) => ({ name, field: 'config.CDI_devices' })));
const env = async (...names: string[]): Promise<string[]> => (await edits(...names)).flatMap((one) => one.env);

/** A file of kind v.com/c whose devices set one variable each. */
function file(path: string, devices: Record<string, object>, all: object = {}): void {
  const list = Object.entries(devices).map(([name, containerEdits]) => ({ name, containerEdits }));
  writeFileSync(path, JSON.stringify({ cdiVersion: '1.0.0', kind: 'v.com/c', devices: list, containerEdits: all }));
}

test('a device brings its own edits, after those of its file, which come once', async () => {
  file(join(low, 'v.json'), { a: { env: ['A=1'] }, b: { env: ['B=1'] } }, { env: ['ALL=1'] });

  assert.deepEqual(await env('v.com/c=b', 'v.com/c=a'), ['ALL=1', 'B=1', 'A=1']);
});

test('YAML is read as well, other files are not', async () => {
  writeFileSync(join(low, 'v.yaml'), 'cdiVersion: 0.5.0\nkind: v.com/c\ndevices:\n- name: "0"\n  containerEdits:\n    deviceNodes:\n    - path: /dev/null\n      fileMode: 0o600\n');
  writeFileSync(join(low, 'v.yml'), 'nonsense: [');

  assert.deepEqual((await edits('v.com/c=0'))[1]?.devices, [{ path: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o600, uid: undefined, gid: undefined, permissions: 'rwm' }]);
  assert.deepEqual(warnings, []);
});

test('a later folder overrides an earlier one, device by device', async () => {
  file(join(low, 'v.json'), { a: { env: ['A=low'] }, b: { env: ['B=low'] } });
  file(join(high, 'w.json'), { a: { env: ['A=high'] } });

  assert.deepEqual(await env('v.com/c=a', 'v.com/c=b'), ['A=high', 'B=low']);
});

test('a device that two files of one folder describe cannot be used; their other devices can', async () => {
  file(join(high, 'v.json'), { a: { env: ['A=1'] }, b: { env: ['B=1'] } });
  file(join(high, 'w.json'), { a: { env: ['A=2'] } });

  await assert.rejects(edits('v.com/c=a'), { kind: 'failed-precondition', message: `inject CDI device v.com/c=a: ${high}/v.json and ${high}/w.json both describe it: take it out of one of them` });
  assert.deepEqual(await env('v.com/c=b'), ['B=1']);
  assert.equal((await cdi.report()).problems.length, 2);
});

test('a claim of two files below does not matter to the folder above', async () => {
  for (const name of ['v', 'w']) file(join(low, `${name}.json`), { a: { env: [`A=${name}`] } });
  file(join(high, 'x.json'), { a: { env: ['A=x'] } });

  assert.deepEqual(await env('v.com/c=a'), ['A=x']);
});

test('what was written since counts, and so does what was taken away', async () => {
  const path = join(high, 'v.json');
  file(path, { a: { env: ['A=1'] } });
  assert.deepEqual(await env('v.com/c=a'), ['A=1']);

  file(path, { a: { env: ['A=22'] } });
  assert.deepEqual(await env('v.com/c=a'), ['A=22']);

  rmSync(path);
  await assert.rejects(edits('v.com/c=a'), { message: /no file describes devices of v\.com\/c/ });
});

test('a broken file is said once, and does not touch the devices of the others', async () => {
  file(join(low, 'good.json'), { a: { env: ['A=1'] } });
  writeFileSync(join(low, 'bad.json'), '{');
  writeFileSync(join(low, 'bad.yaml'), 'a: [');
  mkdirSync(join(low, 'folder.json'));

  assert.deepEqual(await env('v.com/c=a'), ['A=1']);
  assert.deepEqual(await env('v.com/c=a'), ['A=1']);

  assert.equal(warnings.length, 3);
  assert.match(warnings.join('\n'), /CDI spec file left out .*folder\.json.*it is not a regular file/);
  const { devices, problems } = await cdi.report();
  assert.deepEqual(devices, ['v.com/c=a']);
  assert.deepEqual(problems.map(({ path }) => path), ['bad.json', 'bad.yaml', 'folder.json'].map((name) => join(low, name)));
});

test('a device that is not there is told with what was looked at', async () => {
  await assert.rejects(edits('v.com/c=a'), { kind: 'failed-precondition', message: `inject CDI device v.com/c=a: no file describes devices of v.com/c; there is no CDI spec file in ${low} or ${high}` });

  file(join(low, 'v.json'), { b: { env: ['B=1'] } });
  writeFileSync(join(high, 'bad.json'), 'null');
  await assert.rejects(edits('v.com/c=a'), {
    message: `inject CDI device v.com/c=a: ${low}/v.json has of this kind only b; looked in ${low}/v.json, ${high}/bad.json; ${high}/bad.json is left out: cdiVersion: want a text, found nothing`,
  });
});

test('folders that are not there are empty, and one that is a file is a problem', async () => {
  rmSync(high, { recursive: true });
  assert.deepEqual(await cdi.report(), { folders: [low, high], devices: [], problems: [] });

  writeFileSync(high, '');
  assert.match((await cdi.report()).problems[0]?.problem ?? '', /ENOTDIR/);
});

test('nodes are completed from the host, unless the file says all', async () => {
  symlinkSync('/dev/null', join(scratch, 'link'));
  const nodes = (...deviceNodes: object[]): void => file(join(low, 'v.json'), { a: { deviceNodes } });
  const refused = (why: string): object => ({ kind: 'failed-precondition', message: `inject CDI device v.com/c=a: ${why} (${low}/v.json)` });

  nodes({ path: '/dev/x', hostPath: '/dev/zero', uid: 7 }, { path: '/dev/absent', type: 'b', major: 7, minor: 1 }, { path: '/dev/pipe', type: 'p' });
  assert.deepEqual((await edits('v.com/c=a'))[1]?.devices, [
    { path: '/dev/x', type: 'c', major: 1, minor: 5, mode: 0o666, uid: 7, gid: undefined, permissions: 'rwm' },
    { path: '/dev/absent', type: 'b', major: 7, minor: 1, mode: undefined, uid: undefined, gid: undefined, permissions: 'rwm' },
    { path: '/dev/pipe', type: 'p', major: 0, minor: 0, mode: undefined, uid: undefined, gid: undefined, permissions: 'rwm' },
  ]);
  nodes({ path: '/dev/absent' });
  await assert.rejects(edits('v.com/c=a'), refused('its device node /dev/absent cannot be used: there is no such file on this node'));
  nodes({ path: '/dev/x', hostPath: join(scratch, 'link') });
  await assert.rejects(edits('v.com/c=a'), refused(`its device node ${scratch}/link cannot be used: it is no device`));
  nodes({ path: '/dev/null', type: 'b' });
  await assert.rejects(edits('v.com/c=a'), refused('its device node /dev/null is of type c on this node, and the file says b'));
});

test('one failure of several is enough, and none is left unheard', async () => {
  file(join(low, 'v.json'), { a: { deviceNodes: [{ path: '/dev/absent' }] } });

  await assert.rejects(edits('v.com/c=a', 'v.com/c=b'), { message: /inject CDI device v\.com\/c=b/ });
});

test('what needs a newer OCI runtime is refused', async () => {
  const spec = (containerEdits: object): void => writeFileSync(join(low, 'v.json'), JSON.stringify({ cdiVersion: '1.1.0', kind: 'v.com/c', devices: [{ name: 'a', containerEdits }] }));

  spec({ netDevices: [{ hostInterfaceName: 'eth7', name: 'net1' }] });
  await assert.rejects(edits('v.com/c=a'), { kind: 'failed-precondition', message: `inject CDI device v.com/c=a: it moves the network interface eth7 into the container, which needs an OCI runtime of specification 1.3 (${low}/v.json)` });
  spec({ intelRdt: { schemata: ['L3:0=f'] } });
  await assert.rejects(edits('v.com/c=a'), { kind: 'failed-precondition', message: `inject CDI device v.com/c=a: it sets intelRdt.schemata, which needs a newer OCI runtime than one of specification 1.0.2 (${low}/v.json)` });
});
