/** One volume from its fields. */
import type { Fields } from './fields.ts';
import { hostPathTypes, type VolumeSpec } from './manifest.ts';
import { subPathProblem } from './parse-container.ts';

const kinds = ['emptyDir', 'hostPath', 'configMap', 'secret'] as const;

export function parseVolume(fields: Fields): VolumeSpec {
  const name = fields.required('name');
  if (name !== '' && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) fields.problem('name', 'wants lower-case letters, digits and - (at most 63)');
  const given = kinds.filter((kind) => fields.has(kind));
  if (given.length > 1) fields.problem('', `is ${given.join(' and ')} at once`);
  const kind = given[0];
  fields.skip(...kinds);
  const base = { name, path: fields.path };

  switch (kind) {
    case 'hostPath':
      return { ...base, ...parseHostPath(fields.object('hostPath')) };
    case 'configMap':
    case 'secret':
      return { ...base, ...parseData(fields.object(kind), kind) };
    default:
      // `emptyDir:` without braces is nothing in YAML, and an empty directory to Kubernetes.
      parseEmptyDir(fields);
      return { ...base, kind: 'emptyDir' };
  }
}

function parseEmptyDir(fields: Fields): void {
  const emptyDir = fields.object('emptyDir');
  const medium = emptyDir.text('medium') ?? '';
  if (medium === 'Memory') emptyDir.problem('medium', 'Memory needs a mount of its own, which gantry play does not make: leave medium out, or use a hostPath on a tmpfs');
  else if (medium !== '') emptyDir.problem('medium', `gantry play does not know ${JSON.stringify(medium)}`);
  emptyDir.ignore('sizeLimit');
  emptyDir.end();
}

function parseHostPath(fields: Fields) {
  const hostPath = fields.required('path');
  if (hostPath !== '' && (!hostPath.startsWith('/') || hostPath.split('/').includes('..'))) fields.problem('path', 'wants an absolute path without ..');
  const type = fields.oneOf('type', hostPathTypes) ?? '';
  fields.end();
  return { kind: 'hostPath' as const, hostPath, type };
}

function parseData(fields: Fields, kind: 'configMap' | 'secret') {
  const mode = (one: Fields, field: string) => one.whole(field, { min: 0, max: 0o777 });
  const items = fields.list('items', (item) => {
    const path = item.required('path');
    const problem = path === '' ? undefined : subPathProblem(path);
    if (problem) item.problem('path', problem);
    return { key: item.required('key'), path, mode: mode(item, 'mode') };
  });
  const result = {
    kind,
    object: fields.required(kind === 'configMap' ? 'name' : 'secretName'),
    items: fields.has('items') ? items : undefined,
    defaultMode: mode(fields, 'defaultMode') ?? 0o644,
    optional: fields.flag('optional') ?? false,
  };
  fields.end();
  return result;
}
