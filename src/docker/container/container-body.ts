/** A CRI container as the Engine's request to make it: a pure function, tested as a table. */
import { isUtf8 } from 'node:buffer';
import { NamespaceMode, Signal } from '../../gen/cri.ts';
import type { ContainerConfig, KeyValue, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, checkArgument, checkProgram, quote, resourcesField, securityContextField } from '../../part/spec/check-field.ts';
import { checkResources } from '../../part/spec/check-resources.ts';
import type { ContainerDefaults } from '../../part/spec/container-defaults.ts';
import { signalNumber } from '../../part/spec/effective-stop-signal.ts';
import { rlimitsWithin } from '../../part/spec/ulimits.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import type { CgroupDriver } from '../../part/cgroup/cgroup-path.ts';
import type { ApiVersion } from '../api/api-version.ts';
import { engineCgroupParent } from '../engine-cgroup-parent.ts';
import { engineMounts } from './engine-mounts.ts';
import { engineOomScore, engineResources } from './engine-resources.ts';
import { engineSecurity, engineUser } from './engine-security.ts';
import type { SecurityInput } from './engine-security.ts';

export interface ContainerInput extends SecurityInput {
  readonly config: ContainerConfig;
  /** Of the pod, whose infra container has its id. */
  readonly podConfig: PodSandboxConfig;
  readonly podId: string;
  readonly imageId: string;
  /** `NAME=value`, of the image: they count before the node's defaults. */
  readonly imageEnv: readonly string[];
  readonly handler: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cgroupDriver: CgroupDriver;
  readonly version: ApiVersion;
  readonly facts: HostFacts;
  readonly defaults: ContainerDefaults;
}

/** What the Engine keeps of a container's output before it is in the log that the kubelet reads; a daemon that is away longer than that loses the oldest. */
const engineLog = { Type: 'json-file', Config: { 'max-size': '20m', 'max-file': '3' } };

export function containerBody(input: ContainerInput): object {
  const { config, podConfig, imageId, labels, version, facts, defaults } = input;
  if (config.linux?.resources !== undefined) checkResources(config.linux.resources, resourcesField);
  const user = engineUser(config.linux?.securityContext);
  return {
    Image: imageId,
    Labels: labels,
    ...words('Entrypoint', 'config.command', config.command),
    ...words('Cmd', 'config.args', config.args),
    ...(config.workingDir === '' ? {} : { WorkingDir: checkAbsolutePath('config.working_dir', config.workingDir) }),
    Env: [...defaultEnv(input), ...config.envs.map((entry, index) => variable(`config.envs[${index}]`, entry))],
    ...(user === undefined ? {} : { User: user }),
    Tty: config.tty,
    OpenStdin: config.stdin,
    StdinOnce: config.stdinOnce,
    ...(config.stopSignal === Signal.SIGNAL_RUNTIME_DEFAULT ? {} : { StopSignal: String(signalNumber(config.stopSignal)) }),
    // A probe is the kubelet's business.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...namespaces(input),
      ...engineSecurity(input),
      ...engineMounts({ mounts: config.mounts, facts, version }),
      ...engineResources(config.linux?.resources),
      OomScoreAdj: engineOomScore(config.linux?.resources, { facts, defaults }),
      CgroupParent: engineCgroupParent(input.cgroupDriver, podConfig.linux?.cgroupParent ?? ''),
      Devices: config.devices.map(({ hostPath, containerPath, permissions }, index) => device(`config.devices[${index}]`, { hostPath, containerPath, permissions })),
      ...(config.CDIDevices.length === 0 ? {} : { DeviceRequests: [{ Driver: 'cdi', DeviceIDs: config.CDIDevices.map(({ name }) => name) }] }),
      ...(defaults.pidsLimit > 0 ? { PidsLimit: defaults.pidsLimit } : {}),
      Ulimits: rlimitsWithin(defaults.ulimits, facts.hardLimits).map(({ type, soft, hard }) => ({ Name: type.replace('RLIMIT_', '').toLowerCase(), Soft: Number(soft), Hard: Number(hard) })),
      LogConfig: engineLog,
      ...(input.handler === '' ? {} : { Runtime: input.handler }),
    },
  };
}

function words(member: string, field: string, given: readonly string[]): object {
  if (given.length === 0) return {};
  if (member === 'Entrypoint') checkProgram(`${field}[0]`, given[0]!);
  return { [member]: given.map((word, index) => checkArgument(`${field}[${index}]`, word)) };
}

/** The infra container holds the pod's; a container joins them by its id. */
function namespaces({ config, podId, podConfig }: ContainerInput): object {
  const ofPod = `container:${podId}`;
  const { network, ipc, pid, targetId } = config.linux?.securityContext?.namespaceOptions ?? podConfig.linux?.securityContext?.namespaceOptions ?? { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.POD, targetId: '' };
  return {
    NetworkMode: ofPod,
    ...(network === NamespaceMode.NODE ? { UTSMode: 'host' } : {}),
    IpcMode: ipc === NamespaceMode.NODE ? 'host' : ofPod,
    ...pidMode(pid, { ofPod, targetId }),
  };
}

function pidMode(pid: NamespaceMode, { ofPod, targetId }: { ofPod: string; targetId: string }): object {
  switch (pid) {
    case NamespaceMode.POD: return { PidMode: ofPod };
    case NamespaceMode.NODE: return { PidMode: 'host' };
    case NamespaceMode.TARGET: return { PidMode: `container:${targetId}` };
    case NamespaceMode.CONTAINER: return {};
    default: throw badField(`${securityContextField}.namespace_options.pid`, `${pid} is not a value that this version knows`);
  }
}

function device(field: string, { hostPath, containerPath, permissions }: { hostPath: string; containerPath: string; permissions: string }): object {
  if (!/^[rwm]{0,3}$/.test(permissions)) throw badField(`${field}.permissions`, `${quote(permissions)} is not made of r, w and m`);
  const host = checkAbsolutePath(`${field}.host_path`, hostPath);
  return { PathOnHost: host, PathInContainer: checkAbsolutePath(`${field}.container_path`, containerPath || hostPath), CgroupPermissions: permissions || 'rwm' };
}

function defaultEnv({ defaults, imageEnv }: ContainerInput): string[] {
  const ofImage = new Set(imageEnv.map((entry) => entry.split('=', 1)[0]));
  return Object.entries(defaults.env).filter(([name]) => !ofImage.has(name)).map(([name, value]) => `${name}=${value}`);
}

function variable(field: string, { key, value }: KeyValue): string {
  if (key === '' || key.includes('=')) throw badField(`${field}.key`, `${quote(key)} is no name of a variable`);
  if (!isUtf8(value)) throw badField(`${field}.value`, `the value of ${quote(key)} is not UTF-8, the only encoding that the Docker Engine takes`);
  return checkArgument(field, `${key}=${value.toString('utf8')}`);
}
