/** What other users of the node can reach of all that the engine makes while pods live: nothing. */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NamespaceMode } from '../gen/cri.ts';
import { call, EngineBed, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open() : undefined!;
after(() => bed?.dispose());

/** Every mode bit for others, but for passing through a folder. */
const beyondPassing = 0o006;

/** The paths below `folder` that a user who is neither owner nor in the group can list, read, write or run, folders that he cannot pass left out. */
function withinReach(folder: string): string[] {
  const { mode } = lstatSync(folder);
  const open = (mode & beyondPassing) === 0 ? [] : [folder];
  if ((mode & 0o001) === 0) return open;
  return [...open, ...readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return withinReach(path);
    return entry.isSymbolicLink() || (lstatSync(path).mode & 0o007) === 0 ? [] : [path];
  })];
}

test('of all that the daemon makes, nothing can be read, written or run by other users (CVE-2021-41103, CVE-2024-25621)', { skip }, async () => {
  const pod = await bed.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const id = await bed.runContainer(pod.id, { namespaces: { pid: NamespaceMode.POD } });
  await bed.createContainer(pod.id, { namespaces: { pid: NamespaceMode.POD }, config: { tty: true, stdin: true } });
  await bed.engine.containers.execSync(id, ['true'], 10, call());

  assert.deepEqual([bed.config.root, bed.config.state].flatMap(withinReach), []);
  writeFileSync(join(bed.config.state, 'open'), '', { mode: 0o644 });
  assert.deepEqual(withinReach(bed.config.state), [join(bed.config.state, 'open')], 'what is open is found');
});

test('no socket of the daemon or of a monitor is in the abstract namespace (CVE-2020-15257)', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id, { config: { tty: true, stdin: true } });

  const held = [process.pid, ...bed.monitorsOf(id)].flatMap(socketsOf);

  assert.ok(bed.monitorsOf(id).length > 0);
  assert.deepEqual(abstractSockets().filter(({ inode }) => held.includes(inode)), []);
});

function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return []; // closed meanwhile
    }
  });
}

function abstractSockets(): { inode: string; name: string }[] {
  return readFileSync('/proc/net/unix', 'latin1').split('\n').slice(1).flatMap((line) => {
    const [, , , , , , inode, name] = line.trim().split(/\s+/);
    return inode !== undefined && name?.startsWith('@') === true ? [{ inode, name }] : [];
  });
}
