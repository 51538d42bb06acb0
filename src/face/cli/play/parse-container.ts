/** One container (or init container) from its fields. */
import net from 'node:net';
import path from 'node:path';
import type { Fields } from './fields.ts';
import type { ContainerSpec, EnvFrom, EnvVar, Port, VolumeMount } from './manifest.ts';
import { parseResources } from './parse-resources.ts';
import { parseContainerSecurity } from './parse-security.ts';

/** What the kubelet does while a container runs: probing, hooks, resizing. */
const kubeletFields = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resizePolicy'];

const fieldPaths =
  /^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$/;

export function parseContainer(fields: Fields, role: 'init' | 'main'): ContainerSpec {
  const name = fields.required('name');
  if (name !== '' && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) fields.problem('name', 'wants lower-case letters, digits and - (at most 63)');
  const image = fields.required('image');
  const restartPolicy = role === 'init' ? fields.oneOf('restartPolicy', ['Always']) : undefined;
  fields.ignore(...kubeletFields);

  return {
    name,
    path: fields.path,
    image,
    pullPolicy: fields.oneOf('imagePullPolicy', ['Always', 'IfNotPresent', 'Never']) ?? defaultPullPolicy(image),
    sidecar: restartPolicy === 'Always',
    command: fields.texts('command'),
    args: fields.texts('args'),
    workingDir: fields.text('workingDir') ?? '',
    env: fields.list('env', parseEnvVar),
    envFrom: fields.list('envFrom', parseEnvFrom),
    ports: fields.list('ports', parsePort),
    resources: parseResources(fields.object('resources')),
    mounts: parseMounts(fields),
    security: parseContainerSecurity(fields.object('securityContext')),
    terminationMessagePath: absolutePath(fields, 'terminationMessagePath') ?? '/dev/termination-log',
    terminationMessagePolicy: fields.oneOf('terminationMessagePolicy', ['File', 'FallbackToLogsOnError']) ?? 'File',
    stdin: fields.flag('stdin') ?? false,
    stdinOnce: fields.flag('stdinOnce') ?? false,
    tty: fields.flag('tty') ?? false,
  };
}

/** Kubernetes' rule: what may move (`:latest`, also unsaid) is pulled always, what has a tag or digest when it is not here. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function parseEnvVar(fields: Fields): EnvVar {
  const name = fields.required('name');
  if (/[=\0]/.test(name)) fields.problem('name', 'has no = in it');
  const at = { name, path: fields.path };
  const value = fields.text('value');
  if (!fields.has('valueFrom')) {
    fields.skip('valueFrom');
    return { ...at, kind: 'value', value: value ?? '' };
  }
  if (value !== undefined && value !== '') fields.problem('valueFrom', 'cannot go with value');

  const from = fields.object('valueFrom');
  const sources = (['configMapKeyRef', 'secretKeyRef', 'fieldRef'] as const).filter((one) => from.has(one));
  if (sources.length !== 1) from.problem('', 'wants one of configMapKeyRef, secretKeyRef, fieldRef');
  const source = from.object(sources[0] ?? 'fieldRef');
  let result: EnvVar;
  if (sources[0] === 'configMapKeyRef' || sources[0] === 'secretKeyRef') {
    const ref = { name: source.required('name'), key: source.required('key'), optional: source.flag('optional') ?? false };
    result = { ...at, kind: sources[0] === 'configMapKeyRef' ? 'configMapKey' : 'secretKey', ref };
  } else {
    const field = sources.length === 0 ? '' : source.required('fieldPath');
    source.skip('apiVersion');
    if (field !== '' && !fieldPaths.test(field)) source.problem('fieldPath', `gantry play does not know ${JSON.stringify(field)}`);
    result = { ...at, kind: 'field', field };
  }
  source.end();
  from.skip('configMapKeyRef', 'secretKeyRef', 'fieldRef');
  from.end();
  return result;
}

function parseEnvFrom(fields: Fields): EnvFrom {
  const kinds = (['configMap', 'secret'] as const).filter((kind) => fields.has(`${kind}Ref`));
  if (kinds.length !== 1) fields.problem('', 'wants one of configMapRef, secretRef');
  const kind = kinds[0] ?? 'configMap';
  const ref = fields.object(`${kind}Ref`);
  const result = { path: fields.path, kind, name: kinds.length === 0 ? '' : ref.required('name'), prefix: fields.text('prefix') ?? '', optional: ref.flag('optional') ?? false };
  ref.end();
  fields.skip('configMapRef', 'secretRef');
  return result;
}

function parsePort(fields: Fields): Port {
  if (!fields.has('containerPort')) fields.problem('containerPort', 'is missing');
  const hostIp = fields.text('hostIP') ?? '';
  if (hostIp !== '' && net.isIP(hostIp) === 0) fields.problem('hostIP', `${JSON.stringify(hostIp)} is not an IP address`);
  return {
    path: fields.path,
    name: fields.text('name'),
    containerPort: fields.whole('containerPort', { min: 1, max: 65_535 }) ?? 0,
    hostPort: fields.whole('hostPort', { min: 0, max: 65_535 }) ?? 0,
    hostIp,
    protocol: fields.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP',
  };
}

function parseMounts(fields: Fields): VolumeMount[] {
  const mounts = fields.list('volumeMounts', parseMount);
  const paths = mounts.map((one) => path.posix.normalize(`${one.mountPath}/`));
  for (const [i, one] of mounts.entries()) {
    if (one.mountPath !== '' && paths.indexOf(paths[i]!) !== i) fields.problem(`volumeMounts[${i}].mountPath`, `${one.mountPath} is mounted on twice`);
  }
  return mounts;
}

function parseMount(fields: Fields): VolumeMount {
  const subPath = fields.text('subPath') ?? '';
  const expression = fields.text('subPathExpr') ?? '';
  if (subPath !== '' && expression !== '') fields.problem('subPathExpr', 'cannot go with subPath');
  const problem = subPathProblem(subPath || expression);
  if (problem) fields.problem(subPath === '' ? 'subPathExpr' : 'subPath', problem);
  if (!fields.has('mountPath')) fields.problem('mountPath', 'is missing');
  return {
    path: fields.path,
    volume: fields.required('name'),
    mountPath: absolutePath(fields, 'mountPath') ?? '',
    readOnly: fields.flag('readOnly') ?? false,
    subPath: subPath || expression,
    subPathExpands: expression !== '',
    propagation: fields.oneOf('mountPropagation', ['None', 'HostToContainer', 'Bidirectional']) ?? 'None',
  };
}

/** Why a path inside a volume is refused, if it is. */
export function subPathProblem(subPath: string): string | undefined {
  if (subPath.startsWith('/')) return 'is relative to the volume, so it does not begin with /';
  if (subPath.split('/').includes('..')) return 'may not leave the volume by ..';
  return subPath.includes('\0') ? 'has a zero byte' : undefined;
}

function absolutePath(fields: Fields, field: string): string | undefined {
  const value = fields.text(field);
  if (value !== undefined && (!value.startsWith('/') || value.split('/').includes('..') || value.includes('\0'))) {
    fields.problem(field, 'wants an absolute path without ..');
  }
  return value;
}
