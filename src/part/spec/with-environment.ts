import { isUtf8 } from 'node:buffer';
import type { KeyValue } from '../../gen/cri.ts';
import { badField, checkArgument, quote } from './check-field.ts';
import type { SpecStep } from './build-container-spec.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Later wins: our defaults, the node's, the image's, the pod's host name, the container's own. HOME comes from the image's passwd unless someone
 * set it; without an entry there it is `/`, as programs expect to have one and only runc sees to it.
 */
export const withEnvironment: SpecStep = (spec, { config, image, identity, hostname, defaults }) => {
  const variables = new Map<string, string>([['PATH', defaultPath]]);
  if (config.tty) variables.set('TERM', 'xterm');
  variables.set('HOME', checkArgument("home in the image's /etc/passwd", identity.home || '/'));
  for (const [name, value] of Object.entries(defaults.env)) variables.set(name, value);
  for (const entry of image.Env ?? []) {
    const [name, value] = splitEntry(checkArgument('image config.Env', entry));
    if (name !== '') variables.set(name, value);
  }
  variables.set('HOSTNAME', checkArgument('sandbox_config.hostname', hostname));
  for (const [index, entry] of config.envs.entries()) variables.set(...checkVariable(`config.envs[${index}]`, entry));
  return { ...spec, process: { ...spec.process, env: [...variables].map(([name, value]) => `${name}=${value}`) } };
};

// An entry without `=` sets nothing; runtimes differ in whether they fail on it.
function splitEntry(entry: string): [name: string, value: string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? ['', ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

// CRI values are bytes. config.json is UTF-8 text, and what is not would arrive as other bytes than were sent.
function checkVariable(field: string, { key, value }: KeyValue): [name: string, value: string] {
  if (key === '' || key.includes('=')) throw badField(`${field}.key`, `${quote(key)} is no name of a variable`);
  if (!isUtf8(value)) throw badField(`${field}.value`, `the value of ${quote(key)} is not UTF-8, the only encoding that an OCI config.json can carry`);
  const text = value.toString('utf8');
  checkArgument(field, `${key}=${text}`);
  return [key, text];
}
