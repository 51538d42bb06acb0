import type { SpecStep } from './build-container-spec.ts';
import { badField, quote } from './check-field.ts';
import { cpuList } from './check-resources.ts';
import type { OciCpu } from './oci-spec.ts';

/** A class of pods with CPU settings of its own, chosen by annotation (as CRI-O's workloads). */
export interface Workload {
  /** A pod with this annotation, whatever its value, is of the class. */
  readonly activationAnnotation: string;
  /** `PREFIX/CONTAINER` on the pod changes the figures of one container; empty: nothing does. */
  readonly annotationPrefix: string;
  /** What the runtime may see of such a pod's annotations, besides what its handler allows. */
  readonly allowedAnnotations: readonly string[];
  readonly cpu: OciCpu;
}

/** The class of a pod: the first in the order of the configuration. */
export function workloadOf(annotations: Readonly<Record<string, string>>, workloads: readonly Workload[]): Workload | undefined {
  return workloads.find(({ activationAnnotation }) => Object.hasOwn(annotations, activationAnnotation));
}

/** The CPU settings of the pod's class win over those of the container, which the kubelet made out of its requests. */
export const withWorkload: SpecStep = (spec, { config, podConfig, defaults }) => {
  const workload = workloadOf(podConfig.annotations, defaults.workloads);
  if (workload === undefined) return spec;
  const key = `${workload.annotationPrefix}/${config.metadata?.name ?? ''}`;
  const own = workload.annotationPrefix === '' ? undefined : podConfig.annotations[key];
  const cpu = { ...spec.linux.resources.cpu, ...workload.cpu, ...(own === undefined ? {} : parseOwn(`sandbox_config.annotations[${key}]`, own)) };
  if (Object.keys(cpu).length === 0) return spec;
  return { ...spec, linux: { ...spec.linux, resources: { ...spec.linux.resources, cpu } } };
};

const defaultPeriod = 100_000n; // the kernel's, in microseconds

/** The JSON of CRI-O: `cpushares`, `cpuquota` and `cpuperiod` in microseconds, `cpuset`, and `cpulimit` in thousandths of a CPU. */
function parseOwn(field: string, text: string): OciCpu {
  const given = parseObject(field, text);
  const unknown = Object.keys(given).find((name) => !['cpushares', 'cpuquota', 'cpuperiod', 'cpuset', 'cpulimit'].includes(name));
  if (unknown !== undefined) throw badField(field, `${quote(unknown)} is none of cpushares, cpuquota, cpuperiod, cpuset, cpulimit`);
  const shares = figure(field, given, 'cpushares', 2, 262_144);
  const period = figure(field, given, 'cpuperiod', 1000, 1_000_000);
  const quota = figure(field, given, 'cpuquota', 1000, Number.MAX_SAFE_INTEGER);
  const limit = figure(field, given, 'cpulimit', 1, 1_000_000_000);
  if (limit !== undefined && quota !== undefined) throw badField(field, 'cpulimit and cpuquota cannot both be given');
  const effectiveQuota = limit === undefined ? quota : (limit * (period ?? defaultPeriod)) / 1000n;
  return {
    ...(shares === undefined ? {} : { shares }),
    ...(effectiveQuota === undefined ? {} : { quota: effectiveQuota, period: period ?? defaultPeriod }),
    ...(effectiveQuota !== undefined || period === undefined ? {} : { period }),
    ...(given['cpuset'] === undefined ? {} : { cpus: cpuset(field, given['cpuset']) }),
  };
}

function parseObject(field: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // the same refusal
  }
  throw badField(field, `${quote(text)} is not a JSON object such as {"cpushares": 512}`);
}

function figure(field: string, given: Readonly<Record<string, unknown>>, name: string, least: number, most: number): bigint | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) throw badField(field, `${name} is not a whole number from ${least} to ${most}`);
  return BigInt(value as number);
}

function cpuset(field: string, value: unknown): string {
  if (typeof value !== 'string' || !cpuList.test(value)) throw badField(field, 'cpuset is not a list such as "0-3,7"');
  return value;
}
