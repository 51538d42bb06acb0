/**
 * CRIU does what its images say, with the power of root: it makes mounts and gives processes their capabilities. So what a checkpoint would bring along
 * is held against what the container is to have, before CRIU sees it (CVE-2024-8676).
 */
import { lstat, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { capabilityNames } from '../../base/capabilities.ts';
import { inventoryName } from './archive-names.ts';
import { imageOfTexts, messagesIn, numberIn, numbersIn, recordsOf, textIn } from './criu-image.ts';
import type { Message } from './criu-image.ts';
import { badCheckpoint } from './documents.ts';

/** What a container may have at most, by the request that it is restored for. */
export interface Allowance {
  /** `CAP_…` names of its bounding set. */
  readonly capabilities: readonly string[];
  /** Nothing that it runs may gain power by its file. */
  readonly noNewPrivileges: boolean;
  /** It is to run under a seccomp filter. */
  readonly seccomp: boolean;
  /** What of the node is mounted in it, by path. */
  readonly bindMounts: ReadonlyMap<string, { readonly readonly: boolean }>;
  /** Where nothing is to be seen: the OCI runtime covers it with a file or directory of the node that is empty. */
  readonly maskedPaths: readonly string[];
}

/** Far above what CRIU writes into images other than those of memory. */
const maxImageBytes = 64 * 2 ** 20;
const [coreMagic, mountsMagic, utsMagic] = [0x55053847, 0x55563928, 0x54473203];

/** Filesystems that are the container's own and lead to nothing of the node: proc, sysfs, tmpfs, devpts, mqueue and cgroup, by their number in `mnt.proto`. */
const ownFilesystems = new Set([1, 2, 5, 6, 12, 14, 23]);
const msReadonly = 1;
const seccompFilter = 2;

/** Throws failed-precondition unless the folder holds plain files only, CRIU's inventory among them: CRIU would follow a symlink to a file of the node. */
export async function checkImageFolder(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw badCheckpoint('it has no images of CRIU');
  const names = await readdir(folder);
  for (const name of names) {
    if (!(await lstat(join(folder, name))).isFile()) throw badCheckpoint(`${JSON.stringify(name)} among the images of CRIU is no plain file`);
  }
  if (!names.includes(inventoryName)) throw badCheckpoint(`${inventoryName} is missing: the capture was not finished`);
}

/** Throws failed-precondition for images that would give the container more than it may have, naming that. */
export async function checkImages(folder: string, allowed: Allowance): Promise<void> {
  const names = await readdir(folder);
  for (const name of names.filter((one) => /^core-\d+\.img$/.test(one))) {
    for (const core of await imageOf(folder, name, coreMagic)) checkProcess(name, core, allowed);
  }
  for (const name of names.filter((one) => /^mountpoints-\d+\.img$/.test(one))) {
    checkMounts(await imageOf(folder, name, mountsMagic), allowed);
  }
}

/** Gives the images the host name of the pod that they are restored in: CRIU would give the pod theirs. */
export async function renameHost(folder: string, hostname: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((one) => /^utsns-\d+\.img$/.test(one))) {
    await writeFile(join(folder, name), imageOfTexts(utsMagic, { 1: hostname, 2: '(none)' }));
  }
}

async function imageOf(folder: string, name: string, magic: number): Promise<Message[]> {
  const path = join(folder, name);
  if ((await stat(path)).size > maxImageBytes) throw badCheckpoint(`${name} is larger than ${maxImageBytes} bytes`);
  return recordsOf(name, await readFile(path), magic);
}

function checkProcess(name: string, core: Message, allowed: Allowance): void {
  const [task] = messagesIn(name, core, 3);
  for (const thread of messagesIn(name, core, 5)) {
    for (const credentials of messagesIn(name, thread, 10)) {
      checkCapabilities(name, credentials, allowed);
      if (allowed.noNewPrivileges && (numberIn(credentials, 18) ?? 0) === 0) throw badCheckpoint(`a process in it (${name}) can gain privileges, and the container is to have no_new_privs`);
    }
    const mode = numberIn(thread, 11) ?? (task && numberIn(task, 11)) ?? 0;
    if (allowed.seccomp && mode !== seccompFilter) throw badCheckpoint(`a process in it (${name}) runs without a seccomp filter, and the container is to have one`);
  }
}

/** Inheritable, permitted, effective, bounding and ambient. */
const capabilityFields = [9, 10, 11, 12, 19];

function checkCapabilities(name: string, credentials: Message, { capabilities }: Allowance): void {
  for (const field of capabilityFields) {
    const words = numbersIn(name, credentials, field);
    const mask = words.reduce((sum, word, n) => sum | (BigInt(word) << BigInt(32 * n)), 0n);
    const excess = capabilityNames.find((one, bit) => ((mask >> BigInt(bit)) & 1n) === 1n && !capabilities.includes(one));
    if (excess !== undefined) throw badCheckpoint(`a process in it (${name}) has ${excess}, which the container is not to have`);
  }
}

function checkMounts(mounts: readonly Message[], allowed: Allowance): void {
  const inPlace = mounts.map((mount) => ({ mount, path: `/${(textIn(mount, 7) ?? '').replace(/^\.?\/*/, '')}` }));
  // The first is its root, which is made of the image whatever this says.
  if (inPlace.filter(({ path }) => path === '/').length > 1) throw badCheckpoint('something is mounted over its root');
  for (const { mount, path } of inPlace) if (path !== '/') checkMount(mount, path, allowed);
}

function checkMount(mount: Message, path: string, { bindMounts, maskedPaths }: Allowance): void {
  const wanted = bindMounts.get(path);
  if (wanted === undefined) {
    const isExternal = textIn(mount, 18) !== undefined || numberIn(mount, 13) === 1 || numberIn(mount, 12) === 1;
    const isExpected = maskedPaths.includes(path) || path.startsWith('/sys/fs/cgroup');
    if (isExternal ? !isExpected : !ownFilesystems.has(numberIn(mount, 1) ?? 0)) throw badCheckpoint(`something of a node is mounted on ${path} in it, and the request mounts nothing there`);
  } else if (wanted.readonly && ((numberIn(mount, 5) ?? 0) & msReadonly) === 0) {
    throw badCheckpoint(`${path} can be written in it, and the request mounts it read-only`);
  }
}
