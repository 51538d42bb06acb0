import { closeSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { failure } from '../../base/errors.ts';
import { openFileBeneath } from '../../host/beneath.ts';
import type { ContainerUser, LinuxContainerSecurityContext } from '../../gen/cri.ts';
import { SupplementalGroupsPolicy } from '../../gen/cri.ts';
import { badField, checkEnum, checkId, checkText, maxId, quote, securityContextField as field } from './check-field.ts';

/** Who a container's first process is. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** All supplementary groups, the primary one included: without it a process could escape a group's negative permissions. */
  readonly additionalGids: readonly number[];
  /** The home directory in the image's passwd; undefined when the user has no entry there. */
  readonly home: string | undefined;
}

type IdOrName = number | string;

interface WantedUser {
  readonly user: IdOrName;
  readonly group: IdOrName | undefined;
  /** The CRI wants run_as_username to be in the image's passwd; a bare uid need not be anywhere. */
  readonly mustExist: boolean;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const maxFileBytes = 8 << 20;
const maxLineLength = 1 << 20;
const maxGroups = 65_536; // NGROUPS_MAX: setgroups refuses more

/**
 * Finds the identity that the kubelet (LinuxContainerSecurityContext) and else the image (`User`: `name`, `uid`, `name:group`, `uid:gid`) ask
 * for, with names looked up in the /etc/passwd and /etc/group beneath `rootfs`. Ids are range-checked (CVE-2024-40635); the files are
 * streamed and at most 8 MiB of each is read (CVE-2025-4437).
 *
 * Errors: invalid-argument for a request that makes no sense, failed-precondition for a name that the image does not know.
 */
export async function resolveUser(rootfs: string, context: LinuxContainerSecurityContext | undefined, imageUser: string): Promise<Identity> {
  const wanted = wantedUser(context, imageUser);
  const given = (context?.supplementalGroups ?? []).map((gid, index) => checkId(`${field}.supplemental_groups[${index}]`, gid));
  const policy = checkEnum(`${field}.supplemental_groups_policy`, context?.supplementalGroupsPolicy ?? SupplementalGroupsPolicy.Merge, SupplementalGroupsPolicy);

  const entry = await findUser(rootfs, wanted.user);
  if (entry === undefined && (wanted.mustExist || typeof wanted.user === 'string')) throw unknownName('user', wanted.user, '/etc/passwd');
  const memberOf = policy === SupplementalGroupsPolicy.Merge ? entry?.name : undefined;
  const groups = await readGroups(rootfs, { named: typeof wanted.group === 'string' ? wanted.group : undefined, memberOf });

  const gid = typeof wanted.group === 'string' ? groups.named : (wanted.group ?? entry?.gid ?? 0);
  if (gid === undefined) throw unknownName('group', String(wanted.group), '/etc/group');
  const additionalGids = [...new Set([gid, ...groups.memberships, ...given])];
  if (additionalGids.length > maxGroups) {
    throw failure('failed-precondition', { act: 'resolve user', object: quote(String(wanted.user)), why: `it has ${additionalGids.length} groups, and the kernel allows ${maxGroups}` });
  }
  return { uid: typeof wanted.user === 'number' ? wanted.user : entry!.uid, gid, additionalGids, home: entry?.home };
}

/** What ContainerStatus.user tells (KEP 3619). */
export function containerUser(identity: Identity): ContainerUser {
  return { linux: { uid: BigInt(identity.uid), gid: BigInt(identity.gid), supplementalGroups: identity.additionalGids.map(BigInt) } };
}

function wantedUser(context: LinuxContainerSecurityContext | undefined, imageUser: string): WantedUser {
  const { runAsUser, runAsGroup, runAsUsername = '' } = context ?? {};
  if (runAsUser !== undefined && runAsUsername !== '') throw badField(`${field}.run_as_username`, 'it cannot be given together with run_as_user');
  const group = runAsGroup === undefined ? undefined : checkId(`${field}.run_as_group`, runAsGroup.value);
  if (runAsUser !== undefined) return { user: checkId(`${field}.run_as_user`, runAsUser.value), group, mustExist: false };
  if (runAsUsername !== '') {
    if (runAsUsername.includes(':')) throw badField(`${field}.run_as_username`, `${quote(runAsUsername)} is no user name`);
    return { user: idOrName(`${field}.run_as_username`, runAsUsername), group, mustExist: true };
  }
  if (group !== undefined) throw badField(`${field}.run_as_group`, 'it needs run_as_user or run_as_username');
  return imageWants(imageUser);
}

function imageWants(imageUser: string): WantedUser {
  const where = 'image config.User';
  const colon = imageUser.indexOf(':');
  const user = colon < 0 ? imageUser : imageUser.slice(0, colon);
  const group = colon < 0 ? '' : imageUser.slice(colon + 1);
  return { user: user === '' ? 0 : idOrName(where, user), group: group === '' ? undefined : idOrName(where, group), mustExist: false };
}

// Digits are always an id, also when a line of passwd has them for a name: an image must not be able to make 1000 mean root.
function idOrName(where: string, text: string): IdOrName {
  if (!/^[0-9]+$/.test(text)) return checkText(where, text);
  if (text.length > 10) throw badField(where, `${quote(text)} is not an id from 0 to ${maxId}`);
  return checkId(where, BigInt(text));
}

async function findUser(rootfs: string, user: IdOrName): Promise<PasswdEntry | undefined> {
  for await (const lines of linesBeneath(rootfs, '/etc/passwd')) {
    const entry = lines.map(passwdEntry).find((candidate) => candidate !== undefined && user === (typeof user === 'string' ? candidate.name : candidate.uid));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function passwdEntry(line: string): PasswdEntry | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
  return isId(uid) && isId(gid) ? { name, uid: Number(uid), gid: Number(gid), home } : undefined;
}

interface Groups {
  /** The id of the group that was asked for by name. */
  named: number | undefined;
  readonly memberships: number[];
}

async function readGroups(rootfs: string, wanted: { named: string | undefined; memberOf: string | undefined }): Promise<Groups> {
  const found: Groups = { named: undefined, memberships: [] };
  if (wanted.named === undefined && wanted.memberOf === undefined) return found;
  for await (const lines of linesBeneath(rootfs, '/etc/group')) {
    for (const line of lines) {
      const [name, , gid = '', members = ''] = line.split(':');
      if (!isId(gid)) continue;
      if (name === wanted.named) found.named ??= Number(gid);
      if (wanted.memberOf !== undefined && members.split(',').includes(wanted.memberOf)) found.memberships.push(Number(gid));
    }
  }
  return found;
}

// An entry with a missing, negative or huge id is passed over: read as 0 it would be root.
function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= maxId;
}

const readChunk = promisify(read);

// The lines of a file, as many at a time as one read gave: a wait for each line would make a long file take seconds.
async function* linesBeneath(rootfs: string, path: string): AsyncGenerator<string[]> {
  const fd = openInImage(rootfs, path);
  if (fd === undefined) return;
  try {
    const chunk = Buffer.alloc(65_536);
    const decoder = new TextDecoder();
    let rest = '';
    for (let total = 0; ; ) {
      const { bytesRead } = await readChunk(fd, chunk, 0, chunk.length, null);
      total += bytesRead;
      if (total > maxFileBytes) throw oversized(path, `it is larger than ${maxFileBytes >> 20} MiB`);
      const lines = (rest + decoder.decode(chunk.subarray(0, bytesRead), { stream: bytesRead > 0 })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > maxLineLength) throw oversized(path, `it has a line of more than ${maxLineLength >> 20} MiB`);
      yield bytesRead > 0 ? lines : [...lines, rest];
      if (bytesRead === 0) return;
    }
  } finally {
    closeSync(fd);
  }
}

// Whatever keeps the file from being opened (a loop of links, a directory in its place) is the image's doing.
function openInImage(rootfs: string, path: string): number | undefined {
  try {
    return openFileBeneath(rootfs, path);
  } catch (cause) {
    throw failure('failed-precondition', { act: "read the image's", object: path, cause });
  }
}

function oversized(path: string, why: string): Error {
  return failure('failed-precondition', { act: "read the image's", object: path, why });
}

function unknownName(what: 'user' | 'group', name: IdOrName, file: string): Error {
  return failure('failed-precondition', { act: `resolve ${what}`, object: quote(String(name)), why: `the image's ${file} has no usable line for it` });
}
