/**
 * The cgroups of this node's pods and containers. A `cgroupsPath` here is what the OCI spec calls so, in either form
 * (`/kubepods/podX/ID`, `kubepods-podX.slice:gantry:ID`), as it was recorded: it stays valid when the driver is
 * reconfigured. A plain path, such as a pod's, is one too.
 */
import { dropQuotaV1, limitHugepages, putBackLimits, readUnreclaimable, saveLimits } from './cgroup-limits.ts';
import type { SavedLimit } from './cgroup-limits.ts';
import { ComingMoves } from './coming-moves.ts';
import { CpuRates } from './cpu-rate.ts';
import type { CgroupLayout } from './cgroup-layout.ts';
import { cgroupParentPath, cgroupPathFor, pathOfCgroupsPath } from './cgroup-path.ts';
import type { CgroupDriver } from './cgroup-path.ts';
import { readCgroupStats, readOomKills, readOomKillsAround } from './cgroup-stats.ts';
import type { CgroupStats } from './cgroup-stats.ts';
import { frozenAbove, killCgroup, listPids, removeCgroup } from './cgroup-tree.ts';

export interface MeasuredCgroup {
  readonly stats: CgroupStats;
  /** CPU use over the last second or longer, in billionths of a core; undefined until there are two readings. */
  readonly nanoCores: bigint | undefined;
}

export class Cgroups {
  readonly layout: CgroupLayout;
  readonly driver: CgroupDriver;
  readonly #rates = new CpuRates();
  readonly #comingMoves: ComingMoves;

  constructor(deps: { readonly layout: CgroupLayout; readonly driver: CgroupDriver }) {
    this.layout = deps.layout;
    this.driver = deps.driver;
    this.#comingMoves = new ComingMoves(deps.layout);
  }

  /** A process will be moved into a cgroup in a moment, and that will wait less for the kernel. Returns at once and never fails. */
  announceMove(): void {
    this.#comingMoves.announce();
  }

  /** The `cgroupsPath` of a container's spec. A parent that is none is invalid-argument. */
  containerPath(parent: string, id: string): string {
    return cgroupPathFor({ driver: this.driver, parent, id }).cgroupsPath;
  }

  /** The path of a pod's cgroup: the CRI cgroup_parent, which the kubelet made. Invalid: invalid-argument. */
  podPath(parent: string): string {
    return cgroupParentPath(this.driver, parent);
  }

  /** The pids of all processes in it and below. */
  pids(cgroupsPath: string): number[] {
    return listPids(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** How many processes in it the kernel killed for memory; undefined when it is gone. */
  oomKills(cgroupsPath: string): number | undefined {
    return readOomKills(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** The same for all that shares its parent, which outlives it; undefined where that is not counted, as on cgroup v1. */
  oomKillsAround(cgroupsPath: string): number | undefined {
    return readOomKillsAround(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** Its limits, to be put back should a change of them fail; `unified` are further cgroup v2 files to keep. */
  saveLimits(cgroupsPath: string, unified: readonly string[]): SavedLimit[] {
    return saveLimits(this.layout, pathOfCgroupsPath(cgroupsPath), unified);
  }

  /** Puts them back and returns the files that would not take their old value. */
  putBackLimits(saved: readonly SavedLimit[]): string[] {
    return putBackLimits(saved);
  }

  /** Takes its CPU quota away on cgroup v1; on v2 that is the runtime's job. */
  dropQuotaV1(cgroupsPath: string): void {
    dropQuotaV1(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** Limits its huge pages of one size; a size that this node has not is failed-precondition. */
  limitHugepages(cgroupsPath: string, limit: { pageSize: string; limit: bigint }): void {
    limitHugepages(this.layout, pathOfCgroupsPath(cgroupsPath), limit);
  }

  /** Bytes in use that the kernel could take back only by killing; undefined when it is gone. */
  unreclaimable(cgroupsPath: string): bigint | undefined {
    return readUnreclaimable(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** What it uses now; undefined when it is gone. */
  measure(cgroupsPath: string): MeasuredCgroup | undefined {
    const stats = readCgroupStats(this.layout, pathOfCgroupsPath(cgroupsPath));
    if (stats === undefined) {
      this.#rates.forget(cgroupsPath);
      return undefined;
    }
    return { stats, nanoCores: stats.cpu === undefined ? undefined : this.#rates.rate(cgroupsPath, stats.at, stats.cpu.usageNs) };
  }

  /** The CPU use of something whose time was read elsewhere, as `measure` gives it. */
  nanoCores(name: string, at: bigint, usageNs: bigint): bigint | undefined {
    return this.#rates.rate(name, at, usageNs);
  }

  /** Kills every process in it; returns when they are gone. Stuck in the kernel: deadline-exceeded. */
  async kill(cgroupsPath: string): Promise<void> {
    await killCgroup(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** The frozen cgroup above it in which its processes cannot be killed; undefined where there is none. */
  frozenAbove(cgroupsPath: string): string | undefined {
    return frozenAbove(this.layout, pathOfCgroupsPath(cgroupsPath));
  }

  /** Removes it and all below; processes in it are failed-precondition, an absent one is success. */
  async remove(cgroupsPath: string): Promise<void> {
    this.#rates.forget(cgroupsPath);
    await removeCgroup(this.layout, pathOfCgroupsPath(cgroupsPath));
  }
}
