/**
 * Worker threads that unpack layers. They start when there is work and end when there was none for a while, so that an idle
 * daemon does not pay for them. A worker that failed or was interrupted is never used again.
 */
import { stat } from 'node:fs/promises';
import { extname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure, messageOf } from '../../base/errors.ts';
import type { UnpackLimits } from './unpack-limits.ts';
import type { BlobRecording, ExpectedContent, FromWorker, ToWorker, UnpackResult } from './unpack-protocol.ts';

const workerFile = new URL(`./unpack-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

const chunkBytes = 256 * 1024;
/** Buffers that travel between the threads for one layer: what is downloaded ahead of unpacking. */
const chunksAhead = 8;

export interface UnpackRequest {
  /** An empty directory; it becomes the layer's root. */
  readonly directory: string;
  /** A descriptor to write: the tar's outline goes there (tar-outline.ts). */
  readonly outline: number;
  readonly expected: ExpectedContent;
  readonly limits: UnpackLimits;
  /** The download is kept here as well; when that fails the file is emptied and the unpacking goes on. */
  readonly recording?: BlobRecording;
  /** A descriptor of a directory that holds the same layer unpacked: its files are taken over (layer-twin.ts). */
  readonly twin?: number;
  /** Starts the download; called when a worker is free. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export class UnpackPool {
  readonly #maxWorkers: number;
  readonly #idleMs: number;
  readonly #lastIdleMs: number;
  readonly #idle: UnpackWorker[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #reaper: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * `idleMs`: how long workers rest before they end; the last one rests for `lastIdleMs`, because pods bring several pulls, and to start a
   * worker takes longer than to unpack a small layer.
   */
  constructor(options: { maxWorkers?: number; idleMs?: number; lastIdleMs?: number } = {}) {
    this.#maxWorkers = options.maxWorkers ?? 12;
    this.#idleMs = options.idleMs ?? 5_000;
    this.#lastIdleMs = options.lastIdleMs ?? 60_000;
  }

  /** Threads alive now. */
  get size(): number {
    return this.#idle.length + this.#busy;
  }

  /**
   * Downloads and unpacks one layer, and checks blob digest, blob size and diff id. When it throws the directory holds
   * rubbish to be removed, and nothing writes into it any more. Errors: what `open` throws; unavailable (not what the manifest
   * promised), failed-precondition (damaged or inconsistent), resource-exhausted (a limit, a full disk), cancelled.
   */
  async unpack(request: UnpackRequest): Promise<UnpackResult> {
    await this.#takeTurn(request.signal);
    let worker: UnpackWorker | undefined;
    try {
      worker = this.#takeIdle() ?? (await UnpackWorker.start());
      const result = await worker.unpack(request);
      this.#rest(worker);
      return result;
    } catch (error) {
      await worker?.terminate();
      throw error;
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }

  /** Starts a worker ahead of the first layer, which takes longer than to unpack a small one; where one lives already nothing is done. */
  async warm(): Promise<void> {
    if (this.size === 0 && !this.#closed) this.#rest(await UnpackWorker.start());
  }

  /** Ends all workers at once; what they were doing fails. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reaper);
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  /** Waits until a worker may be taken; an aborted signal ends the waiting. */
  async #takeTurn(signal: AbortSignal): Promise<void> {
    while (this.#busy >= this.#maxWorkers) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
        resolve();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      await promise;
      signal.removeEventListener('abort', giveUp);
      if (signal.aborted) break;
    }
    if (signal.aborted) throw failure('cancelled', { act: 'unpack layer' });
    this.#busy++;
  }

  #takeIdle(): UnpackWorker | undefined {
    let worker = this.#idle.pop();
    while (worker?.hasEnded === true) worker = this.#idle.pop();
    return worker;
  }

  #rest(worker: UnpackWorker): void {
    if (this.#closed) return void worker.terminate();
    this.#idle.push(worker);
    clearTimeout(this.#reaper);
    this.#reaper = setTimeout(() => {
      this.#endAllBut(1);
      this.#reaper = setTimeout(() => this.#endAllBut(0), this.#lastIdleMs).unref();
    }, this.#idleMs).unref();
  }

  /** Of the resting workers. */
  #endAllBut(kept: number): void {
    for (const worker of this.#idle.splice(kept)) void worker.terminate();
  }
}

class UnpackWorker {
  readonly #thread: Worker;
  /** The thread keeps the working directory that the process has now, whatever becomes of the process's. */
  readonly #workingDirectory = process.cwd();
  /** It failed while it rested. */
  hasEnded = false;
  #free: ArrayBuffer[] = [];
  #wakePump: (() => void) | undefined;
  #settle: { resolve: (result: UnpackResult) => void; reject: (error: unknown) => void } | undefined;

  static async start(): Promise<UnpackWorker> {
    // libuv starts its pool at the first use, as children of the thread that used it: they must not inherit a layer's root.
    await stat('/');
    return new UnpackWorker();
  }

  private constructor() {
    this.#thread = new Worker(workerFile, { name: 'unpack', execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 512 } });
    this.#thread.unref();
    this.#thread.on('message', (message: FromWorker) => this.#receive(message));
    this.#thread.on('error', (cause) => this.#settle?.reject(failure('internal', { act: 'unpack layer', why: `the unpack worker failed: ${messageOf(cause)}`, cause })));
    this.#thread.on('exit', () => {
      this.hasEnded = true;
      this.#settle?.reject(failure('internal', { act: 'unpack layer', why: 'the unpack worker ended' }));
    });
  }

  async unpack(request: UnpackRequest): Promise<UnpackResult> {
    const stop = new AbortController();
    const signal = AbortSignal.any([request.signal, stop.signal]);
    signal.addEventListener('abort', () => this.#wakePump?.(), { once: true });
    this.#free = Array.from({ length: chunksAhead }, () => new ArrayBuffer(chunkBytes));
    const done = this.#ask({ type: 'begin', directory: relative(this.#workingDirectory, request.directory), outline: request.outline, expected: request.expected, limits: request.limits, ...(request.recording === undefined ? {} : { recording: request.recording }), ...(request.twin === undefined ? {} : { twin: request.twin }) });
    try {
      // Whichever fails first is the cause: the download, or the worker that found the bytes wanting.
      const [result] = await Promise.all([done, this.#pump(request.open(signal), signal)]);
      return result;
    } finally {
      stop.abort();
      this.#free = [];
    }
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate();
  }

  /** Copies the download into travelling buffers; waits when all of them are with the worker. */
  async #pump(source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    let filled = 0;
    for await (const bytes of source) {
      for (let at = 0; at < bytes.length;) {
        const buffer = await this.#freeBuffer(signal);
        const taken = Math.min(bytes.length - at, chunkBytes - filled);
        new Uint8Array(buffer, filled, taken).set(bytes.subarray(at, at + taken));
        at += taken;
        filled += taken;
        if (filled === chunkBytes) {
          this.#sendChunk(filled);
          filled = 0;
        }
      }
    }
    if (filled > 0) this.#sendChunk(filled);
    this.#post({ type: 'end' });
  }

  /** The buffer being filled: the first free one. */
  async #freeBuffer(signal: AbortSignal): Promise<ArrayBuffer> {
    for (;;) {
      if (signal.aborted) throw failure('cancelled', { act: 'unpack layer' });
      const [buffer] = this.#free;
      if (buffer !== undefined) return buffer;
      await new Promise<void>((resolve) => (this.#wakePump = resolve));
    }
  }

  #sendChunk(length: number): void {
    const buffer = this.#free.shift();
    if (buffer !== undefined) this.#post({ type: 'chunk', buffer, length }, [buffer]);
  }

  #receive(message: FromWorker): void {
    if (message.type === 'buffer') {
      this.#free.push(message.buffer);
      this.#wakePump?.();
    } else if (message.type === 'failed') {
      this.#settle?.reject(failure(message.kind, { act: 'unpack layer', why: message.why }));
    } else {
      this.#settle?.resolve(message.result);
    }
  }

  #ask(message: ToWorker): Promise<UnpackResult> {
    return new Promise<UnpackResult>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#thread.ref();
      this.#post(message);
    }).finally(() => {
      this.#settle = undefined;
      this.#thread.unref();
    });
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }
}
