/**
 * Bytes and inodes of writable layers. Where the filesystem counts a layer by itself, asking answers with that count. Else it answers
 * with the last figure, and a layer whose figure is old is walked in the background: stats never wait for a disk.
 */
import { measureTrees } from './measure-tree.ts';
import type { MeasureBounds } from './measure-tree.ts';
import type { ProjectUsage } from './project-quota.ts';

export interface Usage {
  readonly bytes: bigint;
  readonly inodes: bigint;
  /** When it was measured, nanoseconds since the epoch. */
  readonly at: bigint;
  /** `counted` by the filesystem at this moment; `measured` by a walk; `at-least` by one that did not come to its end. */
  readonly way: 'counted' | 'measured' | 'at-least';
}

/** A directory tree as a project of its filesystem. */
export interface LayerProject {
  readonly id: number;
  /** What it had before the container wrote anything. */
  readonly own: ProjectUsage;
  /** Processes outside of user namespaces may take their files out of the project, ioctl FS_IOC_FSSETXATTR. */
  readonly escapable: boolean;
}

export interface WritableLayer {
  readonly directories: readonly string[];
  readonly project?: LayerProject | undefined;
}

export interface UsageMeterDeps {
  /** Undefined where the filesystem counts nothing. */
  readonly projects: { count(id: number): ProjectUsage } | undefined;
  readonly bounds?: MeasureBounds;
}

/** A tenth of a core at most, and two threads of libuv's pool in the worst case; a million files in over three minutes. */
const defaultBounds: MeasureBounds = { entriesPerSecond: 5000, maxEntries: 1_000_000, deadlineMs: 300_000 };
const walksAtOnce = 2;

/** How old a walked figure may be before asking for it walks again. */
const maxAgeMs = 30_000;
/** What took long to walk is left alone for so many times as long. */
const restFactor = 9;
/** How often a count that a container could have falsified is compared with a walk. */
const auditAgeMs = 600_000;
/** What a walk and a count may differ by without anybody having done anything. */
const slack: ProjectUsage = { bytes: 1n << 20n, inodes: 64n };

interface Walked {
  readonly usage: Usage | undefined;
  readonly endedMs: number;
  readonly tookMs: number;
}

export class UsageMeter {
  readonly #deps: UsageMeterDeps;
  readonly #walked = new Map<string, Walked>();
  readonly #queue = new Map<string, WritableLayer>();
  readonly #running = new Map<string, AbortController>();
  /** Whose count is not believed any more. */
  readonly #escaped = new Set<string>();

  constructor(deps: UsageMeterDeps) {
    this.#deps = deps;
  }

  /** The figure for this container's layer; undefined before it was measured first. */
  usage(id: string, layer: WritableLayer): Usage | undefined {
    const counted = this.#count(id, layer);
    const last = this.#walked.get(id);
    if (counted !== undefined && !layer.project!.escapable) return counted;
    const restMs = Math.max(counted === undefined ? maxAgeMs : auditAgeMs, restFactor * (last?.tookMs ?? 0));
    if (last === undefined || performance.now() - last.endedMs > restMs) this.#enqueue(id, layer);
    return counted ?? last?.usage;
  }

  /** Also ends a walk that is under way. */
  forget(id: string): void {
    this.#queue.delete(id);
    this.#running.get(id)?.abort();
    this.#running.delete(id);
    this.#walked.delete(id);
    this.#escaped.delete(id);
  }

  /** Ends all walks. */
  close(): void {
    for (const id of [...this.#queue.keys(), ...this.#running.keys()]) this.forget(id);
  }

  #count(id: string, { project }: WritableLayer): Usage | undefined {
    const { projects } = this.#deps;
    if (project === undefined || projects === undefined || this.#escaped.has(id)) return undefined;
    try {
      const { bytes, inodes } = projects.count(project.id);
      return { bytes: atLeastNone(bytes - project.own.bytes), inodes: atLeastNone(inodes - project.own.inodes), at: now(), way: 'counted' };
    } catch {
      return undefined; // accounting was switched off under us: it is walked
    }
  }

  #enqueue(id: string, layer: WritableLayer): void {
    if (!this.#running.has(id)) this.#queue.set(id, layer);
    this.#startWalks();
  }

  #startWalks(): void {
    for (const [id, layer] of this.#queue) {
      if (this.#running.size >= walksAtOnce) return;
      this.#queue.delete(id);
      const stop = new AbortController();
      this.#running.set(id, stop);
      void this.#walk(id, layer, stop.signal).finally(() => {
        if (this.#running.get(id) === stop) this.#running.delete(id);
        this.#startWalks();
      });
    }
  }

  async #walk(id: string, layer: WritableLayer, signal: AbortSignal): Promise<void> {
    const [began, at, before] = [performance.now(), now(), this.#count(id, layer)];
    // A disk that refuses: the last figure stays, and the others get theirs.
    const found = await measureTrees(layer.directories, { bounds: this.#deps.bounds ?? defaultBounds, signal }).catch(() => undefined);
    if (signal.aborted) return;
    const usage: Usage | undefined = found && { bytes: found.bytes, inodes: found.inodes, at, way: found.complete ? 'measured' : 'at-least' };
    const endedMs = performance.now();
    this.#walked.set(id, { usage: better(usage, this.#walked.get(id)?.usage), endedMs, tookMs: endedMs - began });
    const after = this.#count(id, layer);
    if (usage !== undefined && before !== undefined && after !== undefined && exceeds(usage, before) && exceeds(usage, after)) this.#escaped.add(id);
  }
}

/** A walk that did not come to its end tells more than an older figure only when it has found more. */
function better(usage: Usage | undefined, last: Usage | undefined): Usage | undefined {
  if (usage === undefined || last === undefined || usage.way === 'measured') return usage ?? last;
  return usage.bytes >= last.bytes && usage.inodes >= last.inodes ? usage : last;
}

/** More was found than the filesystem counts in the project: files have left it. */
function exceeds(walked: Usage, counted: Usage): boolean {
  return walked.bytes > counted.bytes + slack.bytes || walked.inodes > counted.inodes + slack.inodes;
}

function atLeastNone(figure: bigint): bigint {
  return figure < 0n ? 0n : figure;
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
