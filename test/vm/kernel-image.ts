/** Takes the kernel proper out of the self-extracting file that distributions ship, so that no machine has to at every boot. */
import { spawnSync } from 'node:child_process';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** Offsets of the x86 boot protocol's header (Linux, Documentation/arch/x86/boot.rst). */
const headerOffset = { setupSectors: 0x1f1, payloadOffset: 0x248, payloadLength: 0x24c } as const;
const sectorBytes = 512;
const largestKernel = 256 * 1024 * 1024;

/** The ELF file inside a bzImage. Throws when there is none, or it is packed in a way that we do not know. */
export function kernelOf(bzImage: Buffer): Buffer {
  const codeStart = (bzImage[headerOffset.setupSectors]! + 1) * sectorBytes;
  const start = codeStart + bzImage.readUInt32LE(headerOffset.payloadOffset);
  const kernel = unpack(bzImage.subarray(start, start + bzImage.readUInt32LE(headerOffset.payloadLength)));
  if (kernel.subarray(0, 4).toString('latin1') !== '\x7fELF') throw new Error('what the kernel file holds is not an ELF file');
  return kernel;
}

/** A payload ends with its unpacked size in four bytes, which are no part of the packed data. */
function unpack(payload: Buffer): Buffer {
  const magic = payload.subarray(0, 4).toString('hex');
  if (magic.startsWith('1f8b')) return gunzipSync(payload.subarray(0, -4));
  if (magic === '28b52ffd') return zstdDecompressSync(payload.subarray(0, -4));
  if (magic !== 'fd377a58') throw new Error(`the kernel is packed in an unknown way (it begins with ${magic})`);
  const { stdout, stderr, status, error } = spawnSync('xz', ['-dc', '--single-stream'], { input: payload, maxBuffer: largestKernel });
  if (error !== undefined || status !== 0) throw new Error(`xz could not unpack the kernel: ${error?.message ?? stderr.toString()}`, { cause: error });
  return stdout;
}
