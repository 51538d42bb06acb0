import { posix } from 'node:path';
import { ForeignValue } from '../../base/foreign-value.ts';
import { hookStages } from '../../base/container-edits.ts';
import type { EditedMount, StagedHook } from '../../base/container-edits.ts';
import type { CdiDeviceNode, CdiEdits, CdiIntelRdt, CdiSpec } from './cdi-spec.ts';
import { isDeviceName, isKind } from './device-name.ts';

const versions = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0'] as const;
type Version = (typeof versions)[number];

/** Throws when the file says it is of an older version than what it uses came with: an older reader would have missed it. */
type Since = (version: Version, used: ForeignValue) => void;

const maxInt32 = 2_147_483_647;
const maxUint32 = 4_294_967_295;

/**
 * Checks a decoded CDI spec file, as strictly as the specification says: members that it does not know make it void. Throws an Error that says
 * where in the file what is wrong.
 */
export function parseCdiSpec(document: unknown): CdiSpec {
  const spec = new ForeignValue(document).members(['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits']);
  const since = sinceOf(spec.get('cdiVersion'));
  const kind = spec.get('kind').text();
  if (!isKind(kind)) throw spec.get('kind').wants('a vendor and a class such as vendor.com/class');
  if (kind.split('/')[1]!.includes('.')) since('0.6.0', spec.get('kind'));
  checkAnnotations(spec.get('annotations'), since);
  const edits = parseEdits(spec.get('containerEdits'), since);
  const devices = new Map<string, CdiEdits>();
  for (const item of spec.get('devices').items()) {
    const [name, deviceEdits] = parseDevice(item, since);
    if (devices.has(name)) throw new Error(`${item.where}.name: there are two devices ${JSON.stringify(name)}`);
    devices.set(name, deviceEdits);
  }
  if (devices.size === 0) throw new Error('devices: there are none');
  return { kind, edits, devices };
}

function sinceOf(value: ForeignValue): Since {
  const version = value.text().replace(/^v/, '');
  const rank = versions.findIndex((known) => known === version);
  if (rank < 0) throw value.wants(`a version of the specification, ${versions[0]} to ${versions.at(-1)}`);
  return (least, used) => {
    if (versions.indexOf(least) > rank) throw new Error(`${used.where}: it came with version ${least}, and the file says that it is of ${version}`);
  };
}

function checkAnnotations(value: ForeignValue, since: Since): void {
  const { names, get } = value.members();
  if (names.length > 0) since('0.6.0', value);
  for (const name of names) get(name).text();
}

function parseDevice(value: ForeignValue, since: Since): [name: string, edits: CdiEdits] {
  const device = value.members(['name', 'annotations', 'containerEdits']);
  const name = device.get('name').text();
  if (!isDeviceName(name)) throw device.get('name').wants('letters, digits and . - _ : between letters or digits');
  if (/^[0-9]/.test(name)) since('0.5.0', device.get('name'));
  checkAnnotations(device.get('annotations'), since);
  const edits = parseEdits(device.get('containerEdits'), since);
  if (device.get('containerEdits').members().names.length === 0) throw new Error(`${value.where}.containerEdits: it is empty, so the device is nothing`);
  return [name, edits];
}

function parseEdits(value: ForeignValue, since: Since): CdiEdits {
  const edits = value.members(['env', 'deviceNodes', 'netDevices', 'hooks', 'mounts', 'intelRdt', 'additionalGids']);
  const gids = edits.get('additionalGids');
  if (gids.items().length > 0) since('0.7.0', gids);
  return {
    env: edits.get('env').items().map(parseVariable),
    deviceNodes: edits.get('deviceNodes').items().map((item) => parseDeviceNode(item, since)),
    netDevices: edits.get('netDevices').items().map((item) => parseNetDevice(item, since)),
    mounts: edits.get('mounts').items().map((item) => parseMount(item, since)),
    hooks: edits.get('hooks').items().map(parseHook),
    additionalGids: gids.items().map((gid) => gid.integer(0, maxUint32)).filter((gid) => gid !== 0), // the specification ignores 0
    intelRdt: edits.get('intelRdt').absent ? undefined : parseIntelRdt(edits.get('intelRdt'), since),
  };
}

function parseVariable(value: ForeignValue): string {
  const text = value.text();
  if (text.indexOf('=') < 1) throw value.wants('NAME=value');
  return text;
}

function parseDeviceNode(value: ForeignValue, since: Since): CdiDeviceNode {
  const node = value.members(['path', 'hostPath', 'type', 'major', 'minor', 'fileMode', 'permissions', 'uid', 'gid']);
  if (!node.get('hostPath').absent) since('0.5.0', node.get('hostPath'));
  const path = parsePath(node.get('path'));
  return {
    path,
    hostPath: node.get('hostPath').textOr('') === '' ? path : parsePath(node.get('hostPath')),
    type: parseType(node.get('type')),
    major: node.get('major').integerOr(0, 0, maxInt32),
    minor: node.get('minor').integerOr(0, 0, maxInt32),
    fileMode: parseMode(node.get('fileMode')),
    permissions: parsePermissions(node.get('permissions')),
    uid: node.get('uid').integerOr(undefined, 0, maxUint32),
    gid: node.get('gid').integerOr(undefined, 0, maxUint32),
  };
}

// Files that were made from what stat(2) said have the bits of the file's type in it.
function parseMode(value: ForeignValue): number | undefined {
  return value.absent ? undefined : value.integer(0, 0o177777) & 0o777;
}

// `u`, an unbuffered character device, is what Linux calls a character device.
function parseType(value: ForeignValue): CdiDeviceNode['type'] {
  const types = { '': undefined, b: 'b', c: 'c', u: 'c', p: 'p' } as const;
  const text = value.textOr('');
  if (!Object.hasOwn(types, text)) throw value.wants('b, c, u or p');
  return types[text as keyof typeof types];
}

function parsePermissions(value: ForeignValue): string {
  const text = value.textOr('');
  if (text === '') return 'rwm';
  if (text === 'none') return '';
  if (!/^[rwm]+$/.test(text)) throw value.wants('some of r, w and m, or none');
  return [...new Set(text)].join('');
}

function parseNetDevice(value: ForeignValue, since: Since): string {
  since('1.1.0', value);
  const device = value.members(['hostInterfaceName', 'name']);
  device.get('name').text();
  return device.get('hostInterfaceName').text();
}

function parseMount(value: ForeignValue, since: Since): EditedMount {
  const mount = value.members(['hostPath', 'containerPath', 'options', 'type']);
  const type = mount.get('type').textOr('');
  if (type !== '') since('0.4.0', mount.get('type'));
  const containerPath = parsePath(mount.get('containerPath'));
  if (containerPath === '/') throw mount.get('containerPath').wants('a path below the root');
  // The source of a mount that is no bind is a word of its file system: `tmpfs`.
  const hostPath = mount.get('hostPath').text();
  if (hostPath === '') throw mount.get('hostPath').wants('a path');
  return { hostPath, containerPath, type, options: mount.get('options').texts() };
}

function parseHook(value: ForeignValue): StagedHook {
  const hook = value.members(['hookName', 'path', 'args', 'env', 'timeout']);
  const stage = hookStages.find((known) => known === hook.get('hookName').text());
  if (stage === undefined) throw hook.get('hookName').wants(`one of ${hookStages.join(', ')}`);
  return {
    stage,
    path: parsePath(hook.get('path')),
    args: hook.get('args').texts(),
    env: hook.get('env').items().map(parseVariable),
    timeout: hook.get('timeout').integerOr(undefined, 1, maxInt32),
  };
}

function parseIntelRdt(value: ForeignValue, since: Since): CdiIntelRdt {
  since('0.7.0', value);
  const rdt = value.members(['closID', 'l3CacheSchema', 'memBwSchema', 'schemata', 'enableMonitoring', 'enableCMT', 'enableMBM']);
  for (const name of ['schemata', 'enableMonitoring']) if (!rdt.get(name).absent) since('1.1.0', rdt.get(name));
  const closID = rdt.get('closID').textOr('');
  if (closID !== '/' && (/[/\n]/.test(closID) || ['.', '..'].includes(closID) || closID.length >= 4096)) throw rdt.get('closID').wants('the name of a class of service');
  const switchedOn = ['enableMonitoring', 'enableCMT', 'enableMBM'].filter((name) => !rdt.get(name).absent && rdt.get(name).flag());
  return {
    closID,
    l3CacheSchema: rdt.get('l3CacheSchema').textOr(''),
    memBwSchema: rdt.get('memBwSchema').textOr(''),
    newer: [...(rdt.get('schemata').texts().length > 0 ? ['schemata'] : []), ...switchedOn],
  };
}

/** An absolute path, without doubled and dotted parts. */
function parsePath(value: ForeignValue): string {
  const path = value.text();
  if (!path.startsWith('/') || path.split('/').includes('..')) throw value.wants('an absolute path without ..');
  return posix.resolve(path);
}
