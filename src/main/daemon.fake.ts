/** Daemons for tests: processes that run serve.fake.ts, and the records that they log. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { spawn } from '../host/spawn.ts';

const program = fileURLToPath(new URL('serve.fake.ts', import.meta.url));

export type LogRecord = Readonly<Record<string, unknown>>;

export interface Daemon {
  readonly pid: number;
  readonly records: readonly LogRecord[];
  /** Everything on stderr that was not JSON. */
  readonly text: string;
  signal(name: NodeJS.Signals): void;
  /** The next record with this message, counted from the last one asked for. */
  seen(message: string): Promise<LogRecord>;
  /** The exit code. */
  ended(): Promise<number>;
  /** Stops reading its stderr for good. */
  stopReading(): void;
}

/** A folder of the test's own, removed after it. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-serve-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Starts a daemon (serve.fake.ts) with root, state and socket in `folder`; it is gone when the test ends. */
export function startDaemon(t: TestContext, request: { folder: string; argv?: readonly string[]; env?: Readonly<Record<string, string>> }): Daemon {
  const { folder, argv = [], env = {} } = request;
  const own = ['--root', `${folder}/root`, '--state', `${folder}/state`, '--socket', `${folder}/state/gantry.sock`];
  const child = spawn(process.execPath, [program, ...own, ...argv], { stdio: ['null', 'null', 'pipe-out'], env: { PATH: '/usr/bin:/bin', ...env } });
  const stderr = child.streams[2]!;
  const records: LogRecord[] = [];
  const waiting = new Set<() => void>();
  let text = '';
  let over = false;
  let next = 0;

  createInterface({ input: stderr }).on('line', (line) => {
    if (line.startsWith('{')) records.push(JSON.parse(line) as LogRecord);
    else text += `${line}\n`;
    for (const look of waiting) look();
  }).on('close', () => {
    over = true;
    for (const look of waiting) look();
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });

  return {
    pid: child.pid,
    records,
    get text() {
      return text;
    },
    signal: (name) => void process.kill(child.pid, name),
    seen(message) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const at = records.findIndex((record, index) => index >= next && record['msg'] === message);
          if (at < 0 && !over) return;
          waiting.delete(look);
          if (at < 0) return reject(new Error(`no "${message}" in: ${JSON.stringify(records)} ${text}`));
          next = at + 1;
          resolve(records[at]!);
        };
        waiting.add(look);
        look();
      });
    },
    async ended() {
      const { code, signal } = await child.exited;
      if (!over && !stderr.destroyed) await new Promise((resolve) => stderr.once('close', resolve));
      return signal === undefined ? code : 128 + signal;
    },
    stopReading: () => stderr.destroy(),
  };
}
