import { fencedFiles } from '../../host/fenced-files.ts';

/** Far more than any policy, key or signature has. */
const maxBytes = 1 << 20;

/** A small regular file, whole. Errors: those of FencedFiles. */
export async function readTrustFile(path: string): Promise<Buffer> {
  return await fencedFiles.read(path, maxBytes);
}
