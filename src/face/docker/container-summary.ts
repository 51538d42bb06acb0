/** A container in the list that `docker ps` prints. */
import type { ContainerStatus, PodSandboxStatus } from '../../gen/cri.ts';
import { imageOf, labelsOf } from './inventory.ts';
import type { Item } from './inventory.ts';
import { inWords } from './moments.ts';
import { mountDocument } from './mount-document.ts';
import { networkMode, networks } from './network-document.ts';

/** What there is to say of an item; each part is undefined when the thing went away while it was asked for. */
export interface ItemFacts {
  readonly item: Item;
  readonly status: ContainerStatus | undefined;
  readonly pod: PodSandboxStatus | undefined;
}

export interface SummaryContext {
  readonly imageName: (id: string) => string | undefined;
  readonly command: readonly string[];
  /** Bytes of its writable layer and of its image; undefined when they are not asked for. */
  readonly size?: { readonly written: bigint; readonly root: bigint } | undefined;
  /** Nanoseconds since the epoch. */
  readonly now: bigint;
}

export function containerSummary(facts: ItemFacts, { imageName, command, size, now }: SummaryContext): object {
  const { item, status, pod } = facts;
  const podId = item.kind === 'pod' ? item.id : item.container.podSandboxId;
  return {
    Id: item.id,
    Names: [`/${item.name}`],
    Image: imageOf(item, imageName),
    ImageID: item.kind === 'pod' ? '' : item.container.imageId,
    Command: command.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' '),
    Created: item.createdAt / 1_000_000_000n,
    Ports: [],
    ...(size === undefined ? {} : { SizeRw: size.written, SizeRootFs: size.root }),
    Labels: labelsOf(item, status?.logPath),
    State: item.state,
    Status: statusInWords(facts, now),
    HostConfig: { NetworkMode: networkMode(item.kind, podId, pod) },
    NetworkSettings: { Networks: networks(pod) },
    Mounts: (status?.mounts ?? []).map(mountDocument),
  };
}

export function statusInWords({ item, status }: Pick<ItemFacts, 'item' | 'status'>, now: bigint): string {
  const since = (at: bigint): string => inWords(Number(now - at) / 1e9);
  switch (item.state) {
    case 'created': return 'Created';
    case 'dead': return 'Dead';
    case 'running': return `Up ${since(item.kind === 'pod' ? item.createdAt : (status?.startedAt ?? item.createdAt))}`;
    // When a pod was stopped, the CRI does not say.
    case 'exited': return status === undefined ? 'Exited (0)' : `Exited (${status.exitCode}) ${since(status.finishedAt)} ago`;
  }
}
