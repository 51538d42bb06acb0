/** What the daemon's main thread and an unpack worker say to each other. Failures cross as plain values. */
import type { Digest } from '../../base/digest.ts';
import type { ErrorKind } from '../../base/errors.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/** What a layer's blob must turn out to be (OCI image-spec: descriptor digest and size, config `rootfs.diff_ids`). */
export interface ExpectedLayer {
  /** Of the blob as it is downloaded. */
  readonly blob: Digest;
  readonly size: number;
  /** Of the tar inside. */
  readonly diffId: Digest;
}

/** The same of any tar: of one that nobody promised anything of, nothing is known. */
export type ExpectedContent = ExpectedLayer | 'anything';

/** Where the worker keeps what it is given of a blob beyond the first `from` bytes, which are there already. */
export interface BlobRecording {
  readonly fd: number;
  readonly from: number;
}

export interface UnpackResult {
  /** On disk, counted in filesystem blocks. */
  readonly bytes: number;
  readonly inodes: number;
  /** Of the tar, inflated. */
  readonly tarBytes: number;
  /** Of `bytes`: in files that are hard links to a twin's. Undefined without a twin. */
  readonly linkedBytes?: number;
}

export type ToWorker =
  /** `directory` is relative to the process's working directory: see unpack-worker.ts. `outline` and `twin`, the directory of a LayerTwin, are descriptors: threads share them. */
  | { readonly type: 'begin'; readonly directory: string; readonly outline: number; readonly expected: ExpectedContent; readonly limits: UnpackLimits; readonly recording?: BlobRecording; readonly twin?: number }
  /** The next bytes of the blob. The buffer is given away, and comes back as `buffer`. */
  | { readonly type: 'chunk'; readonly buffer: ArrayBuffer; readonly length: number }
  | { readonly type: 'end' };

export type FromWorker =
  | { readonly type: 'buffer'; readonly buffer: ArrayBuffer }
  | { readonly type: 'unpacked'; readonly result: UnpackResult }
  | { readonly type: 'failed'; readonly kind: ErrorKind; readonly why: string };
