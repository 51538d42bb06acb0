/** ImageFsInfo: what images take, from the records, to the byte; no walk over the disk. */
import type { FilesystemUsage } from '../../gen/cri.ts';
import type { ImageDeps } from './image-deps.ts';

const blockBytes = 4096;

/** What a document of so many bytes takes on disk. */
export function documentBytes(size: number): bigint {
  return BigInt(Math.ceil(size / blockBytes) * blockBytes);
}

export async function fsInfo(deps: ImageDeps): Promise<{ images: FilesystemUsage[]; containers: FilesystemUsage[] }> {
  return { images: [imageUsage(deps)], containers: await deps.containerFilesystems() };
}

/** Layers count once however many images share them. The layers of a pull in flight count from their end on. */
function imageUsage(deps: Pick<ImageDeps, 'layers' | 'records'>): FilesystemUsage {
  let bytes = 0;
  let inodes = 0;
  for (const layer of deps.layers.all()) {
    bytes += layer.bytes;
    inodes += layer.inodes;
  }
  const documents = new Map(deps.records.all().flatMap((record) => record.documents.map(({ digest, size }) => [digest, size])));
  for (const size of documents.values()) {
    bytes += Number(documentBytes(size));
    inodes += 1;
  }
  return {
    timestamp: BigInt(Date.now()) * 1_000_000n,
    fsId: { mountpoint: deps.layers.directory },
    usedBytes: { value: BigInt(bytes) },
    inodesUsed: { value: BigInt(inodes) },
  };
}
