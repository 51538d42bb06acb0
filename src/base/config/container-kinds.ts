/** The kinds of value that say what containers get: limits, environment, kernel parameters, capabilities, masks. */
import { capabilityName } from '../capabilities.ts';
import { assignments, listOf, textLike, textsLike } from './kinds.ts';
import type { Kind } from './kinds.ts';

/** A limit of setrlimit(2), in the unit of its own; -1 is unlimited. */
export interface Ulimit {
  /** As ulimit tools name it: `nofile` is RLIMIT_NOFILE. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

export const ulimitNames = [
  'as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
] as const;

/** Limits in Docker's form `name=soft:hard`, or `name=both`. A name may be given once, and a soft limit is not above its hard one. */
export const ulimits: Kind<readonly Ulimit[]> = {
  ...ulimitList(),
  read(raw) {
    const read = ulimitList().read(raw);
    return read !== undefined && new Set(read.map(({ name }) => name)).size === read.length ? read : undefined;
  },
};

function ulimitList(): Kind<readonly Ulimit[]> {
  return listOf({
    name: 'list of limits',
    wanted: `a list of limits such as "nofile=1024:524288" (soft:hard, -1 for unlimited), each of ${ulimitNames.join(', ')} at most once`,
    item: readUlimit,
    write: ({ name, soft, hard }) => `${name}=${soft}:${hard}`,
  });
}

function readUlimit(text: string): Ulimit | undefined {
  const [, name, low = '', high = low] = /^([a-z]+)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(text) ?? [];
  if (!ulimitNames.some((known) => known === name)) return undefined;
  const [soft, hard] = [Number(low), Number(high)];
  const within = hard === -1 || (soft !== -1 && soft <= hard);
  return within ? { name: name!, soft, hard } : undefined;
}

/**
 * Environment variables. A value has no NUL byte, and with the name fits what the kernel passes to a process. It may be a secret, such as the
 * password of a proxy.
 */
export const environment: Kind<Readonly<Record<string, string>>> = {
  ...assignments({
    name: 'list of variables',
    wanted: 'a list of variables such as "HTTP_PROXY=http://10.0.0.1:3128"',
    nameForm: /^[^=\0]{1,1000}$/,
    valueForm: /^[^\0]{0,30000}$/,
  }),
  covered: (variables) => Object.fromEntries(Object.keys(variables).map((name) => [name, '…'])),
};

/** Only what belongs to a namespace that a pod can have for itself: others would change the node. */
export const sysctls = assignments({
  name: 'list of sysctls',
  wanted: 'a list such as "net.core.somaxconn=1024", of net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem or kernel.domainname, the sysctls of a pod\'s own namespaces',
  nameForm: /^((net|fs\.mqueue)(\.[A-Za-z0-9_-]+)+|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|domainname))$/,
  valueForm: /^[A-Za-z0-9 \t,.:_-]{1,1000}$/,
});

export const capabilities: Kind<readonly string[]> = listOf({
  name: 'list of capabilities',
  wanted: 'a list of capabilities of Linux such as "NET_BIND_SERVICE"',
  item: capabilityName,
  write: (name) => name.slice('CAP_'.length),
});

/** File mode bits to leave out, held as a number. */
export const umask: Kind<number> = {
  name: 'octal digits',
  wanted: 'octal digits as text, such as "0022", up to "0777"',
  read: (raw) => (typeof raw === 'string' && /^0?[0-7]{3}$/.test(raw) ? Number.parseInt(raw, 8) : undefined),
  fromText: (text) => text,
  write: (value) => JSON.stringify(value.toString(8).padStart(4, '0')),
};

/** Annotations with their values. */
export const annotations = assignments({
  name: 'list of annotations',
  wanted: 'a list of annotations such as "run.oci.handler=wasm"',
  nameForm: /^[^=\s\0]{1,317}$/, // a prefix of 253, a slash, a name of 63
  valueForm: /^[^\0]{0,30000}$/,
});

/** Names of annotations, in which `*` stands for any characters. */
export const annotationPatterns = textsLike('list of patterns', 'a list of names of annotations such as "io.katacontainers.*", where * stands for any characters', /^[^=\s\0]{1,317}$/);

export const annotationName = textLike('annotation', 'the name of an annotation', /^[^=\s\0]{1,317}$/);
export const optionalAnnotationName = textLike('annotation', 'the name of an annotation, or "" for none', /^[^=\s\0]{0,317}$/);

/** Words of a command line before the runtime's sub-command. Those that Gantry gives itself are refused. */
export const runtimeFlags = textsLike(
  'list of flags',
  'a list of words such as "--debug", without --root and --systemd-cgroup, which gantry gives itself',
  /^(?!--?(root|systemd-cgroup)(=|$))[^\0]{1,1000}$/,
);
