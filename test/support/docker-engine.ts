/** A Docker Engine of a test's own: dockerd with its containerd in a folder, without a bridge and without firewall rules, so that it meets nobody else's. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sweep } from './leftovers.ts';
import { patience } from './patience.ts';
import { beginPart, markVariable } from './test-run.ts';

export interface DockerEngine {
  readonly socket: string;
  readonly dir: string;
  /** SIGTERM, and waits: its containers end with it. */
  stop(): Promise<void>;
  /** SIGKILL; its containers are found when it starts again. */
  kill9(): Promise<void>;
  start(): Promise<void>;
  /** Asks its API, as another of its clients would: `docker('DELETE', '/containers/x?force=1')`. */
  docker<T = unknown>(method: string, target: string, body?: unknown): Promise<T>;
  stopAndClean(): Promise<void>;
}

const program = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].find((file) => existsSync(file));
/** What dockerd makes on the machine whatever it is told, the innermost first. */
const fixedPlaces = ['/etc/docker/key.json', '/etc/docker', '/run/docker/plugins', '/run/docker'];
const deadlineMs = 30_000 * patience;

/** Why there is none on this machine; undefined when there is. */
export const dockerShortcoming = program === undefined ? 'dockerd is not installed (sh scripts/setup.sh test)' : undefined;

export async function startDockerEngine(): Promise<DockerEngine> {
  if (program === undefined) throw new Error(dockerShortcoming);
  const absent = fixedPlaces.filter((place) => !existsSync(place));
  const part = beginPart();
  const at = (name: string): string => path.join(part.dir, name);
  mkdirSync(at('d'));
  writeFileSync(at('d/daemon.json'), '{}'); // not the machine's own
  const socket = at('d.sock');
  let running: ChildProcess | undefined;

  const docker = <T>(method: string, target: string, body?: unknown): Promise<T> => ask<T>(socket, { method, target, body });
  const start = async (): Promise<void> => {
    const log = openSync(at('dockerd.log'), 'a');
    running = spawn(program, [
      '--data-root', at('d/data'), '--exec-root', at('d/exec'), '--host', `unix://${socket}`, '--pidfile', at('d/pid'), '--config-file', at('d/daemon.json'), '--group', 'root',
      '--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false',
    ], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: part.dir, [markVariable]: part.mark }, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    for (const until = Date.now() + deadlineMs; !(await docker('GET', '/_ping').then(() => true, () => false)); await sleep(50)) {
      if (running.exitCode !== null || Date.now() > until) throw new Error(`dockerd does not answer:\n${readFileSync(at('dockerd.log'), 'utf8').slice(-3000)}`);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exit = once(running, 'exit');
    running.kill(signal);
    await exit;
  };
  const engine: DockerEngine = {
    socket, dir: part.dir, start, docker,
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
    async stopAndClean() {
      try {
        await removeAll(docker);
        await end('SIGTERM');
      } finally {
        await sweep(part);
        for (const place of absent) removeIfUnused(place);
      }
    },
  };
  try {
    await start();
  } catch (error) {
    await engine.stopAndClean().catch(() => {});
    throw error;
  }
  return engine;
}

/** A folder that somebody uses has something in it. */
function removeIfUnused(place: string): void {
  try {
    if (place.endsWith('.json')) rmSync(place, { force: true });
    else rmdirSync(place);
  } catch {
    // another Engine's
  }
}

async function removeAll(docker: DockerEngine['docker']): Promise<void> {
  const containers = await docker<{ Id: string }[]>('GET', '/containers/json?all=1').catch(() => []);
  for (const { Id } of containers) await docker('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => {});
}

async function ask<T>(socketPath: string, { method, target, body }: { method: string; target: string; body: unknown }): Promise<T> {
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const sent = request({ socketPath, method, path: target, headers: bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) } });
  sent.end(bytes);
  const [answer] = await once(sent, 'response') as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if ((answer.statusCode ?? 0) >= 400) throw new Error(`${method} ${target}: ${answer.statusCode} ${text}`);
  return (text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text) as T;
}
