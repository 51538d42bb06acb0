/** Sessions with any CRI runtime over one and the same client: exec and port-forward through SPDY; times in milliseconds. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { connectSpdy } from '../src/face/spdy/connect-spdy.ts';
import type { SpdyConnection, SpdyStream } from '../src/face/spdy/spdy-connection.ts';
import { containerConfig, podConfig } from '../test/support/cri-messages.ts';
import { descriptorsOf, peakOf, resetPeak, residentOf } from './proc.ts';
import type { Subject } from './subject.ts';

/** A running container that serves one large file over HTTP. */
export interface Served {
  readonly subject: Subject;
  readonly podId: string;
  readonly containerId: string;
  /** Of the runtime's daemon. */
  readonly pid: number;
}

export interface Bulk {
  readonly ms: number;
  /** How much the daemon's memory grew at most, in bytes. */
  readonly growthBytes: number;
}

const port = 8080;
const request = { act: 'open session of', signal: new AbortController().signal };

export async function serve(subject: Subject, image: string, bytes: number): Promise<Served> {
  const { client, logs, cgroupParent } = subject;
  const config = podConfig({ name: 'bench-streams', logDirectory: `${logs}/bench-streams`, cgroupParent });
  const { podSandboxId: podId } = await client.runPodSandbox({ config });
  const command = ['sh', '-c', `mkdir /www && truncate -s ${bytes} /www/big && echo ready >/www/small && exec httpd -f -p ${port} -h /www`];
  const { containerId } = await client.createContainer({ podSandboxId: podId, config: containerConfig({ name: 'main', image, command }), sandboxConfig: config });
  await client.startContainer({ containerId });
  const daemon = subject.processes().reduce((largest, one) => (residentOf(one.pid) > residentOf(largest.pid) ? one : largest));
  const served = { subject, podId, containerId, pid: daemon.pid };
  while ((await exitCode(served, ['test', '-f', '/www/small'])) !== 0) await sleep(100);
  return served;
}

async function exitCode({ subject, containerId }: Served, cmd: string[]): Promise<number> {
  return (await subject.client.execSync({ containerId, cmd, timeout: 10n })).exitCode;
}

interface Opened {
  readonly connection: SpdyConnection;
  readonly stdin: SpdyStream;
  readonly stdout: SpdyStream;
  readonly error: SpdyStream;
}

async function openExec({ subject, containerId }: Served, cmd: string[]): Promise<Opened> {
  const { url } = await subject.client.exec({ containerId, cmd, tty: false, stdin: true, stdout: true, stderr: true });
  const connection = await connectSpdy({ ...request, url, protocol: 'v4.channel.k8s.io', object: subject.name });
  const open = (streamtype: string): Promise<SpdyStream> => connection.open(new Map([['streamtype', streamtype]]));
  const [error, stdin, stdout, stderr] = await Promise.all(['error', 'stdin', 'stdout', 'stderr'].map(open));
  stderr!.resume();
  return { connection, stdin: stdin!, stdout: stdout!, error: error! };
}

/** From the CRI call to the first byte that `echo` wrote. */
export async function firstByte(served: Served): Promise<number> {
  const began = performance.now();
  const { connection, stdout } = await openExec(served, ['echo', 'here']);
  await once(stdout, 'data');
  const ms = performance.now() - began;
  connection.destroy();
  return ms;
}

async function countAll(from: Readable): Promise<number> {
  let bytes = 0;
  for await (const part of from as AsyncIterable<Buffer>) bytes += part.length;
  return bytes;
}

async function bulk({ pid, subject }: Served, least: number, work: () => Promise<number>): Promise<Bulk> {
  const before = residentOf(pid);
  resetPeak([pid]);
  const began = performance.now();
  const bytes = await work();
  const ms = performance.now() - began;
  if (bytes < least) throw new Error(`${subject.name}: ${bytes} bytes came of ${least}`);
  return { ms, growthBytes: peakOf([pid]) - before };
}

export function bulkExec(served: Served, bytes: number): Promise<Bulk> {
  return bulk(served, bytes, async () => {
    const { connection, stdout } = await openExec(served, ['cat', '/www/big']);
    const count = await countAll(stdout);
    connection.destroy();
    return count;
  });
}

export function bulkPortForward(served: Served, bytes: number): Promise<Bulk> {
  return bulk(served, bytes, async () => {
    const { subject, podId } = served;
    const { url } = await subject.client.portForward({ podSandboxId: podId, port: [port] });
    const connection = await connectSpdy({ ...request, url, protocol: 'portforward.k8s.io', object: subject.name });
    const open = (streamtype: string): Promise<SpdyStream> => connection.open(new Map(Object.entries({ streamtype, port: String(port), requestid: '0' })));
    (await open('error')).end();
    const data = await open('data');
    data.write('GET /big HTTP/1.0\r\n\r\n');
    const count = await countAll(data);
    connection.destroy();
    return count;
  });
}

/** So many sessions at once, each of which sends a line and gets it back while all are open. */
export async function manyAtOnce(served: Served, count: number): Promise<number> {
  const began = performance.now();
  const sessions = await Promise.all(Array.from({ length: count }, () => openExec(served, ['cat'])));
  await Promise.all(sessions.map(async ({ stdin, stdout }, n) => {
    stdin.write(`line ${n}\n`);
    const [line] = (await once(stdout, 'data')) as [Buffer];
    if (line.toString() !== `line ${n}\n`) throw new Error(`${served.subject.name}: session ${n} got ${line.toString()}`);
  }));
  const ms = performance.now() - began;
  for (const { connection } of sessions) connection.destroy();
  return ms;
}

export interface Held {
  readonly descriptors: number;
  readonly residentBytes: number;
}

export function held({ pid }: Served): Held {
  return { descriptors: descriptorsOf(pid), residentBytes: residentOf(pid) };
}

/** Opens sessions of a command that would go on, sixteen at a time, and breaks each off without a word. */
export async function abandon(served: Served, count: number): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) (await openExec(served, ['cat'])).connection.destroy();
  }));
}

/** Waits until no abandoned command is left in the container. */
export async function settled({ subject, containerId }: Served): Promise<void> {
  for (let n = 0; n < 300; n++) {
    const { stdout } = await subject.client.execSync({ containerId, cmd: ['sh', '-c', 'ps | grep -c "[c]at$"; true'], timeout: 10n });
    if (Buffer.from(stdout).toString().trim() === '0') return void (await sleep(2000));
    await sleep(200);
  }
  throw new Error(`${subject.name}: abandoned commands run on`);
}
