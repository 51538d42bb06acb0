/** All about a container, as `docker inspect` shows it. What the CRI does not know has the value that Docker gives where nothing was asked for. */
import { NamespaceMode, Signal } from '../../gen/cri.ts';
import type { ContainerStatus, LinuxContainerResources, NamespaceOption } from '../../gen/cri.ts';
import { podImage, imageOf, labelsOf } from './inventory.ts';
import type { ItemFacts } from './container-summary.ts';
import { never, timestamp } from './moments.ts';
import { bindsOf, mountDocument } from './mount-document.ts';
import { networkMode, networkSettings } from './network-document.ts';
import type { RuntimeFacts } from './runtime-facts.ts';

export interface InspectContext {
  readonly imageName: (id: string) => string | undefined;
  readonly runtime: RuntimeFacts;
  readonly snapshotter: string;
  readonly size?: { readonly written: bigint; readonly root: bigint } | undefined;
}

export function containerDocument(facts: ItemFacts, context: InspectContext): object {
  const { item, status, pod } = facts;
  const { runtime, size } = context;
  const [path = '', ...args] = runtime.command;
  return {
    Id: item.id,
    Created: timestamp(item.createdAt),
    Path: path,
    Args: args,
    State: stateDocument(facts, runtime),
    Image: item.kind === 'pod' ? '' : item.container.imageId,
    ResolvConfPath: '', HostnamePath: '', HostsPath: '',
    LogPath: status?.logPath ?? '',
    Name: `/${item.name}`,
    RestartCount: 0,
    Driver: context.snapshotter,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: runtime.selinuxLabel,
    AppArmorProfile: runtime.apparmor,
    ExecIDs: null,
    HostConfig: hostConfig(facts, runtime),
    GraphDriver: { Name: context.snapshotter, Data: runtime.root === '' ? null : { MergedDir: runtime.root } },
    ...(size === undefined ? {} : { SizeRw: size.written, SizeRootFs: size.root }),
    Mounts: (status?.mounts ?? []).map(mountDocument),
    Config: configDocument(facts, context),
    NetworkSettings: networkSettings(pod),
  };
}

function stateDocument({ item, status }: ItemFacts, { pid }: RuntimeFacts): object {
  return {
    Status: item.state,
    Running: item.state === 'running',
    Paused: false,
    Restarting: false,
    OOMKilled: status?.reason === 'OOMKilled',
    Dead: item.state === 'dead',
    Pid: item.state === 'running' ? pid : 0,
    ExitCode: status?.exitCode ?? 0,
    Error: item.state === 'exited' ? (status?.message ?? '') : '',
    StartedAt: item.kind === 'pod' ? timestamp(item.createdAt) : startedAt(status),
    FinishedAt: status === undefined ? never : timestamp(status.finishedAt),
  };
}

function startedAt(status: ContainerStatus | undefined): string {
  return status === undefined ? never : timestamp(status.startedAt);
}

/** What dockershim set: a container has network and IPC of its pod, and nothing restarts it but the kubelet. */
function hostConfig({ item, status, pod }: ItemFacts, runtime: RuntimeFacts): object {
  const podId = item.kind === 'pod' ? item.id : item.container.podSandboxId;
  const options = pod?.linux?.namespaces?.options;
  const resources = status?.resources?.linux;
  return {
    Binds: bindsOf(status?.mounts ?? []),
    ContainerIDFile: '',
    LogConfig: { Type: 'cri', Config: {} },
    NetworkMode: networkMode(item.kind, podId, pod),
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: false, VolumeDriver: '', VolumesFrom: null, ConsoleSize: [0, 0], CapAdd: null, CapDrop: null, CgroupnsMode: '', Dns: null, DnsOptions: null, DnsSearch: null, ExtraHosts: null, GroupAdd: null,
    IpcMode: joined(options?.ipc, item.kind, podId),
    Cgroup: '', Links: null,
    OomScoreAdj: resources?.oomScoreAdj ?? 0n,
    PidMode: pidMode(options, item.kind, podId),
    Privileged: runtime.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: runtime.readonlyRoot,
    SecurityOpt: null, UTSMode: '', UsernsMode: '', ShmSize: 0,
    Runtime: runtime.handler,
    Isolation: '',
    ...limits(resources),
    CgroupParent: item.kind === 'pod' ? runtime.cgroup : parentOf(runtime.cgroup),
    MaskedPaths: runtime.maskedPaths,
    ReadonlyPaths: runtime.readonlyPaths,
  };
}

/** Of a path, or of systemd's `slice:prefix:name`. */
function parentOf(cgroup: string): string {
  return cgroup.includes(':') ? cgroup.split(':', 1)[0]! : cgroup.replace(/\/[^/]*$/, '');
}

function joined(mode: NamespaceMode | undefined, kind: 'pod' | 'container', podId: string): string {
  if (mode === NamespaceMode.NODE) return 'host';
  return kind === 'pod' ? 'shareable' : `container:${podId}`;
}

function pidMode(options: NamespaceOption | undefined, kind: 'pod' | 'container', podId: string): string {
  if (options?.pid === NamespaceMode.NODE) return 'host';
  return options?.pid === NamespaceMode.POD && kind === 'container' ? `container:${podId}` : '';
}

function limits(resources: LinuxContainerResources | undefined): object {
  return {
    CpuShares: resources?.cpuShares ?? 0n, Memory: resources?.memoryLimitInBytes ?? 0n, NanoCpus: 0, BlkioWeight: 0, BlkioWeightDevice: null, BlkioDeviceReadBps: null, BlkioDeviceWriteBps: null,
    BlkioDeviceReadIOps: null, BlkioDeviceWriteIOps: null, CpuPeriod: resources?.cpuPeriod ?? 0n, CpuQuota: resources?.cpuQuota ?? 0n, CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0,
    CpusetCpus: resources?.cpusetCpus ?? '', CpusetMems: resources?.cpusetMems ?? '', Devices: [], DeviceCgroupRules: null, DeviceRequests: null, MemoryReservation: 0,
    MemorySwap: resources?.memorySwapLimitInBytes ?? 0n, MemorySwappiness: null, OomKillDisable: null, PidsLimit: null, Ulimits: null, CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0,
  };
}

function configDocument({ item, status }: ItemFacts, { imageName, runtime }: InspectContext): object {
  const user = status?.user?.linux;
  return {
    Hostname: runtime.hostname,
    Domainname: '',
    User: user === undefined ? '' : `${user.uid}:${user.gid}`,
    AttachStdin: false, AttachStdout: false, AttachStderr: false,
    Tty: runtime.terminal,
    OpenStdin: false, StdinOnce: false,
    Env: runtime.environment,
    Cmd: runtime.command,
    Image: item.kind === 'pod' ? podImage : imageOf(item, imageName),
    Volumes: null,
    WorkingDir: runtime.directory,
    Entrypoint: null,
    OnBuild: null,
    Labels: labelsOf(item, status?.logPath),
    ...stopSignal(status),
  };
}

/** `SIGTERM` of `SIGNAL_SIGTERM`, `SIGRTMIN+3` of `SIGNAL_SIGRTMINPLUS3`. */
function stopSignal(status: ContainerStatus | undefined): { StopSignal?: string } {
  const name = Object.entries(Signal).find(([, number]) => number === status?.stopSignal)?.[0];
  if (name === undefined || !name.startsWith('SIGNAL_SIG')) return {};
  return { StopSignal: name.slice('SIGNAL_'.length).replace('MINPLUS', 'MIN+').replace('MAXMINUS', 'MAX-') };
}
