import { readFile, realpath, stat } from 'node:fs/promises';
import type { Config } from '../base/config/schema.ts';
import { failure, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { NodeDefaults, PodGround } from '../native/container/node-defaults.ts';
import { parseBaseSpec } from '../part/spec/base-spec.ts';
import type { HandlerDefaults } from '../part/spec/container-defaults.ts';
import { defaultSeccompProfile } from '../part/spec/default-seccomp-profile.ts';
import { parseSeccompProfile } from '../part/spec/seccomp-profile.ts';
import type { SeccompProfile } from '../part/spec/seccomp-profile.ts';
import type { Workload } from '../part/spec/with-workload.ts';
import type { HandlerSettings } from './remembered-handlers.ts';

const zoneinfo = '/usr/share/zoneinfo';
const largestFile = 8 << 20;

/**
 * The node's defaults, with the files that the configuration names read and checked: failed-precondition naming the setting and the file for one that
 * is not there or not right, so that a start or a reload is refused and no pod meets it.
 */
export async function buildDefaults({ container, runtime, workloads }: Pick<Config, 'container' | 'runtime' | 'workloads'>): Promise<NodeDefaults> {
  const [seccomp, localtime, handlers] = await Promise.all([
    seccompProfile('container', container.seccompProfile),
    localtimeOf(container.timezone),
    Promise.all(Object.entries(runtime.handlers).map(async ([name, settings]) => [name, await handlerDefaults(name, settings)] as const)),
  ]);
  return {
    container: {
      ulimits: container.defaultUlimits,
      env: container.defaultEnv,
      capabilities: container.defaultCapabilities,
      pidsLimit: container.pidsLimit,
      umask: container.umask,
      devicesToUser: container.deviceOwnershipFromSecurityContext,
      localtime,
      restrictOomScore: container.restrictOomScoreAdj,
      seccomp: seccomp ?? defaultSeccompProfile,
      workloads: Object.entries(workloads).toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, settings]) => workload(settings)),
    },
    sysctls: container.defaultSysctls,
    unprivilegedPorts: container.enableUnprivilegedPorts,
    unprivilegedIcmp: container.enableUnprivilegedIcmp,
    handlers: new Map(handlers),
    grounds: new Map(Object.entries(runtime.handlers).map(([name, settings]) => [name, podGround(settings)])),
  };
}

/** The same for handlers that are not configured any more. One whose files are gone makes no containers from then on; nobody else suffers. */
export async function retiredDefaults(retired: HandlerSettings, log: Logger): Promise<NodeDefaults['handlers']> {
  const found = new Map<string, HandlerDefaults>();
  for (const [name, settings] of Object.entries(retired)) {
    await handlerDefaults(name, settings).then((defaults) => found.set(name, defaults), (error: unknown) => log.warn('pods of a runtime handler that is not configured any more get no new containers', { handler: name, error: messageOf(error) }));
  }
  return found;
}

/** `defaults` with those of handlers that it has not. */
export function withRetired(defaults: NodeDefaults, retired: NodeDefaults['handlers']): NodeDefaults {
  return { ...defaults, handlers: new Map([...retired, ...defaults.handlers]) };
}

function workload({ activationAnnotation, annotationPrefix, allowedAnnotations, cpuShares, cpuQuota, cpuPeriod, cpuset }: Config['workloads'][string]): Workload {
  return {
    activationAnnotation,
    annotationPrefix,
    allowedAnnotations,
    cpu: {
      ...(cpuShares === 0 ? {} : { shares: BigInt(cpuShares) }),
      ...(cpuQuota === 0 ? {} : { quota: BigInt(cpuQuota) }),
      ...(cpuPeriod === 0 ? {} : { period: BigInt(cpuPeriod) }),
      ...(cpuset === '' ? {} : { cpus: cpuset }),
    },
  };
}

async function handlerDefaults(name: string, settings: Config['runtime']['handlers'][string]): Promise<HandlerDefaults> {
  const { allowedAnnotations, defaultAnnotations, baseSpec, minMemory } = settings;
  const text = baseSpec === '' ? undefined : await readSetting(`runtime.handlers.${name}.base_spec`, baseSpec);
  const seccomp = await seccompProfile(`runtime.handlers.${name}`, settings.seccompProfile);
  return { allowedAnnotations, annotations: defaultAnnotations, baseSpec: text === undefined ? undefined : parseBaseSpec(text, baseSpec), privilegedDevices: privilegedDevices(settings), minMemory, seccomp };
}

function podGround({ cniConfDir, snapshotter }: HandlerSettings[string]): PodGround {
  return { cniConfDir: cniConfDir === '' ? undefined : cniConfDir, snapshotter: snapshotter === 'node' ? undefined : snapshotter };
}

function privilegedDevices(settings: Config['runtime']['handlers'][string]): HandlerDefaults['privilegedDevices'] {
  if (!settings.privilegedWithoutHostDevices) return 'all';
  return settings.privilegedWithoutHostDevicesAllDevicesAllowed ? 'allowed' : 'none';
}

async function seccompProfile(table: string, path: string): Promise<SeccompProfile | undefined> {
  return path === '' ? undefined : parseSeccompProfile(await readSetting(`${table}.seccomp_profile`, path), path);
}

async function localtimeOf(timezone: string): Promise<string | undefined> {
  if (timezone === '') return undefined;
  const wanted = timezone === 'Local' ? '/etc/localtime' : `${zoneinfo}/${timezone}`;
  try {
    const file = await realpath(wanted);
    if (!(await stat(file)).isFile()) throw new Error(`${wanted} is not a file`);
    return file;
  } catch (cause) {
    throw failure('failed-precondition', { act: 'use container.timezone', object: timezone, why: `${messageOf(cause)}; install the package tzdata, or correct the name`, cause });
  }
}

async function readSetting(key: string, path: string): Promise<string> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw new Error('not a regular file');
    if (facts.size > largestFile) throw new Error(`larger than ${largestFile} bytes`);
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw failure('failed-precondition', { act: `read ${key}`, object: path, cause });
  }
}
