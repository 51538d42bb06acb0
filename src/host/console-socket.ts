/** The socket on which an OCI runtime hands over the terminal that it made inside a container (`--console-socket`). */
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../base/errors.ts';
import { descriptorOf } from './descriptor-stream.ts';
import { libc, O_PATH } from './libc.ts';
import { Terminal } from './terminal.ts';

const pollMs = 1;
const longestPollMs = 20;

export class ConsoleSocket {
  /** Resolves with what the first to connect sends. Rejects when that is no terminal, never when nobody connects. */
  readonly terminal: Promise<Terminal>;
  readonly #path: string;
  readonly #directory: number;
  readonly #server: Server;
  #closed = false;

  /**
   * Listens at `path`, whose directory is a private one: whoever can connect can give us a terminal. The path may be longer than a
   * socket's address: give the runtime its last name, with the directory as working directory.
   */
  static async listen(path: string): Promise<ConsoleSocket> {
    const socket = new ConsoleSocket(path);
    await socket.#listen();
    return socket;
  }

  private constructor(path: string) {
    this.#path = path;
    this.#directory = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
    this.#server = createServer({ pauseOnConnect: true });
    this.terminal = new Promise((resolve, reject) => {
      this.#server.once('connection', (connection: Socket) => void this.#receive(connection).then(resolve, reject));
    });
    this.terminal.catch(() => {});
  }

  /** Stops listening and removes the socket; a terminal that nobody has taken by then is never resolved. Repeats are nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    rmSync(this.#path, { force: true });
    closeSync(this.#directory);
  }

  async #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(`/proc/self/fd/${this.#directory}/${basename(this.#path)}`, resolve);
    try {
      await promise;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #receive(connection: Socket): Promise<Terminal> {
    connection.on('error', () => {});
    try {
      for (let pause = pollMs; !this.#closed; pause = Math.min(2 * pause, longestPollMs)) {
        const fd = receiveFrom(connection);
        if (fd !== 'nothing yet') return new Terminal(fd);
        await sleep(pause);
      }
      throw failure('cancelled', { act: 'open terminal', why: 'the OCI runtime has ended' });
    } finally {
      connection.destroy();
      this.close();
    }
  }
}

function receiveFrom(connection: Socket): number | 'nothing yet' {
  try {
    const fd = libc.receiveDescriptor(descriptorOf(connection) ?? -1);
    if (fd === undefined) throw failure('failed-precondition', { act: 'open terminal', why: 'the OCI runtime sent a message without a terminal' });
    return fd;
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return 'nothing yet';
    throw error;
  }
}
