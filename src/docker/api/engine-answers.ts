/** The members of the Engine's answers that we read, in its own spelling. Times are RFC 3339 with up to nine digits of a second. */

export interface ContainerSummary {
  readonly Id: string;
  readonly ImageID: string;
  readonly Names: readonly string[];
}

export interface HostConfigAnswer {
  readonly CgroupParent: string;
  readonly CpuShares: number;
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpusetCpus: string;
  readonly CpusetMems: string;
  readonly Memory: number;
  readonly MemorySwap: number;
  readonly OomScoreAdj: number;
  readonly Runtime?: string;
}

export interface ContainerInspect {
  readonly Id: string;
  /** With a slash in front. */
  readonly Name: string;
  readonly Created: string;
  /** The image's id. */
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly State: {
    readonly Status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly OOMKilled: boolean;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly StopSignal?: string;
    readonly User?: string;
  };
  readonly HostConfig: HostConfigAnswer;
  readonly GraphDriver?: { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null };
}

export interface EngineInfo {
  readonly DockerRootDir: string;
  readonly CgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  readonly CgroupVersion?: string;
  readonly DefaultRuntime: string;
  readonly Runtimes: Readonly<Record<string, unknown>>;
  readonly SecurityOptions: readonly string[] | null;
  readonly Driver: string;
  readonly LiveRestoreEnabled?: boolean;
}

export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Size: number;
}

export interface ImageInspect extends ImageSummary {
  readonly Config: { readonly User?: string; readonly Env?: readonly string[] | null; readonly StopSignal?: string; readonly Entrypoint?: readonly string[] | null; readonly Cmd?: readonly string[] | null; readonly Labels?: Readonly<Record<string, string>> | null } | null;
  readonly RootFS?: { readonly Layers?: readonly string[] };
}

export interface EngineEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string };
}

/** Nanoseconds since the epoch; 0 for the zero time of Go, which means never. */
export function nanosecondsOf(text: string): bigint {
  const [, seconds = '', fraction = '', zone = 'Z'] = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const millis = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(millis) || millis < 0) return 0n;
  return BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
