/** Keeps the bytes of a blob in a file while they are unpacked. */
import { ftruncateSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { BlobRecording } from './unpack-protocol.ts';

export class BlobRecorder {
  #recording: BlobRecording | undefined;

  /** Without a recording it does nothing. */
  constructor(recording: BlobRecording | undefined) {
    this.#recording = recording;
  }

  /**
   * Writes what the file does not have of `bytes`, which begin at `position` in the blob; resolves when they may be reused. Never
   * rejects: a file that can't be written (a full disk) is emptied and left alone, because the layer needs the room more.
   */
  async record(bytes: Buffer, position: number): Promise<void> {
    if (this.#recording === undefined) return;
    const { fd, from } = this.#recording;
    const known = Math.min(Math.max(from - position, 0), bytes.length);
    try {
      for (let at = known; at < bytes.length;) {
        const { bytesWritten } = await promisify(write)(fd, bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    } catch {
      this.#recording = undefined;
      empty(fd);
    }
  }
}

function empty(fd: number): void {
  try {
    ftruncateSync(fd);
  } catch {
    // What is in it stays: a shorter beginning is one, too.
  }
}
