/** SOCK_SEQPACKET sockets of the unix domain: what is sent in one piece arrives in one piece. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../base/errors.ts';
import { streamOfDescriptor } from './descriptor-stream.ts';
import { AF_UNIX, libc, O_PATH, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET } from './libc.ts';

/** How often a peer whose backlog is full is tried, and how long after one another. */
const attempts = 50;
const againMs = 20;

/** How long the peer has to see our end before the socket is closed under it. */
const lingerMs = 50;

export interface PacketEvents {
  /** One packet, valid for the time of the call. False pauses the reading until `resume()`. */
  readonly onPacket: (packet: Buffer) => boolean;
  /** The peer has closed; nothing comes any more. */
  readonly onEnd: () => void;
}

export class PacketSocket {
  readonly #socket: Socket;
  #queue: Promise<void> = Promise.resolve();

  /** Connects; the path may be of any length. Nobody listens there: an error with the code ECONNREFUSED or ENOENT. */
  static async connect(path: string, events: PacketEvents): Promise<PacketSocket> {
    for (let attempt = 1; ; attempt++) {
      try {
        return new PacketSocket(connectNow(path), events);
      } catch (error) {
        if (!hasCode(error, 'EAGAIN') || attempt === attempts) throw error;
        await sleep(againMs);
      }
    }
  }

  private constructor(fd: number, { onPacket, onEnd }: PacketEvents) {
    this.#socket = streamOfDescriptor(fd, onPacket);
    this.#socket.on('error', () => {}); // 'close' follows
    this.#socket.once('end', () => this.#socket.destroy());
    this.#socket.once('close', onEnd);
  }

  /**
   * Sends one packet after those sent before; resolves when the peer has room for it, and also when the peer is gone. One at a time: libuv
   * joins what waits to be written.
   */
  async send(packet: Uint8Array): Promise<void> {
    const sent = this.#queue.then(() => new Promise<void>((resolve) => {
      if (!this.#socket.writable) return resolve();
      this.#socket.write(packet, () => resolve());
    }));
    this.#queue = sent;
    await sent;
  }

  resume(): void {
    this.#socket.resume();
  }

  /** After what was sent nothing more is. Repeats are nothing. */
  async end(): Promise<void> {
    await this.#queue;
    if (this.#socket.writable) this.#socket.end();
  }

  /** Says the end at once and closes a moment later: conmon 2.1.6 can die of one that closes without a word. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    this.#socket.resume();
    await sleep(lingerMs, undefined, { ref: false });
    this.#socket.destroy();
  }
}

/** An address holds 107 bytes of path; by way of its directory's descriptor any path is short enough. */
function connectNow(path: string): number {
  const directory = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
  const fd = libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    libc.connectUnix(fd, `/proc/self/fd/${directory}/${basename(path)}`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  } finally {
    closeSync(directory);
  }
}
