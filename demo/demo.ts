/**
 * `npm run demo`: the story of Gantry in a minute, on this machine and leaving nothing on it. A registry on loopback, an image made
 * and pushed to it; a daemon with folders and a socket of its own; over that socket a pull, and a pod with its own network in
 * which a web server and a client that asks it run; a look at all of it; and everything taken away again.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerFilter, ImageSpec } from '../src/gen/cri.ts';
import { message } from '../test/support/cri-messages.ts';
import { startDaemon, type Daemon } from '../test/support/daemon.ts';
import { busyboxImage, pushImage } from '../test/support/image.ts';
import { beginOwnRun } from '../test/support/own-run.ts';
import { startRegistry } from '../test/support/registry.ts';
import { stages, type Stages } from './stage.ts';

const repository = path.join(import.meta.dirname, '..');
const webPort = 8080;

interface Demo {
  readonly daemon: Daemon;
  readonly manifest: string;
  readonly signal: AbortSignal;
  readonly stage: Stages;
}

/** Runs a `gantry` command against the demo's daemon; what it wrote, or an error that says what went wrong. */
async function gantry({ daemon, signal }: Demo, args: readonly string[]): Promise<string> {
  const child = spawn(path.join(repository, 'bin/gantry'), args, {
    env: { ...process.env, GANTRY_SOCKET: daemon.paths.socket },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const exited = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`gantry ${args.join(' ')} ended with ${code}:\n${err}${out}`);
  return out;
}

/** The folders that `gantry play` keeps for a pod, inside the demo's own. */
function playFlags({ daemon }: Demo): string[] {
  return ['--data-dir', path.join(daemon.paths.dir, 'play'), '--log-dir', daemon.paths.logs];
}

async function story(stage: Stages, undo: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
  const registry = await stage.run('Start a registry on loopback', () => startRegistry());
  undo.defer(() => registry.stop());
  const image = await stage.run('Make an image and push it', () => pushImage(registry, 'demo/busybox:1', busyboxImage()));
  stage.show(image);

  const registriesConf = `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`;
  const daemon = await stage.run('Start the daemon', () => startDaemon({ registriesConf }));
  undo.defer(() => daemon.stopAndClean());
  const { runtimeName, runtimeVersion } = await daemon.client.version();
  stage.show(`${runtimeName} ${runtimeVersion} on ${daemon.paths.socket}\npods get addresses of ${daemon.network.subnet}`);

  const manifest = path.join(daemon.paths.dir, 'web.yaml');
  const example = readFileSync(path.join(repository, 'examples/web.yaml'), 'utf8');
  writeFileSync(manifest, example.replaceAll('localhost:5000/demo/busybox:1', image));
  const demo: Demo = { daemon, manifest, signal, stage };

  const { imageRef } = await stage.run('Pull the image', () => daemon.client.pullImage({ image: message(ImageSpec, { image }) }, { signal }));
  stage.show(imageRef);
  await stage.run('Run the pod of examples/web.yaml', () => gantry(demo, ['play', ...playFlags(demo), manifest]));
  await lookAtThePod(demo);

  await stage.run('Stop and remove the pod (its grace period is 2 s)', () => gantry(demo, ['play', '--down', ...playFlags(demo), manifest]));
  await stage.run('Stop the daemon', () => daemon.stop());
}

async function lookAtThePod(demo: Demo): Promise<void> {
  const { stage, daemon: { client } } = demo;
  const [pod] = (await client.listPodSandbox()).items;
  if (pod === undefined) throw new Error('the pod is not in the list');
  const address = (await client.podSandboxStatus({ podSandboxId: pod.id })).status?.network?.ip ?? '';
  const { containers } = await client.listContainers({ filter: message(ContainerFilter, { podSandboxId: pod.id }) });
  const idOf = (name: string): string => containers.find(({ metadata }) => metadata?.name === name)?.id ?? '';

  stage.show(await gantry(demo, ['pods']));
  stage.show(await gantry(demo, ['ps', '--all']));
  const page = await stage.run(`Ask the web server at the pod's address, http://${address}:${webPort}/`, () => fetchPage(address));
  stage.show(page);
  const log = await stage.run('Wait for the client in the pod to have asked it too', () => logOf(demo, idOf('client'), (so) => so.includes(`asks ${address}:\n<h1>`)));
  stage.show(log);
  const exec = await stage.run('Run a command in the web server (ExecSync)', () =>
    client.execSync({ containerId: idOf('web'), cmd: ['sh', '-c', 'id; hostname; ls /pages'], timeout: 10n }));
  stage.show(Buffer.from(exec.stdout).toString());
  const { stats } = await stage.run('Read its statistics', () => client.containerStats({ containerId: idOf('web') }));
  stage.show(`processor ${Number(stats?.cpu?.usageCoreNanoSeconds?.value ?? 0n) / 1e6} ms, memory ${Number(stats?.memory?.workingSetBytes?.value ?? 0n) / 1024} KiB`);
  const { status } = await client.containerStatus({ containerId: idOf('web') });
  stage.show(`state ${status?.state === 1 ? 'running' : String(status?.state)}, image ${status?.imageRef}`);
}

/** The page as plain HTTP gives it; tried again for a moment, as the server has just been started. */
async function fetchPage(address: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await new Promise<string>((resolve, reject) => {
        const request = http.get({ host: address, port: webPort, path: '/', timeout: 3000, agent: false }, (response) => resolve(text(response)));
        request.once('timeout', () => request.destroy(new Error('no answer within 3 s'))).once('error', reject);
      });
    } catch (error) {
      if (attempt === 20) throw new Error(`http://${address}:${webPort}/ does not answer: ${String(error)}`, { cause: error });
      await sleep(100);
    }
  }
}

async function logOf(demo: Demo, containerId: string, complete: (log: string) => boolean): Promise<string> {
  const until = Date.now() + 15_000;
  for (;;) {
    const log = await gantry(demo, ['logs', containerId]);
    if (complete(log)) return log;
    demo.signal.throwIfAborted();
    if (Date.now() > until) throw new Error(`the client did not get its pages; its log:\n${log}`);
    await sleep(200);
  }
}

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) {
    console.error('The demo starts containers and so needs root: sudo npm run demo');
    return 1;
  }
  const own = await beginOwnRun();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

  const stage = stages(process.stdout, interrupted.signal);
  const undo = new AsyncDisposableStack();
  let failure: unknown;
  try {
    await story(stage, undo, interrupted.signal);
  } catch (error) {
    failure = error;
    console.error(interrupted.signal.aborted ? 'Interrupted: cleaning up.' : String(error instanceof Error ? error.message : error));
  }
  await undo.disposeAsync().catch((error: unknown) => { failure ??= error; });
  const left = await own.leftBehind();
  await own.sweep(); // by force, should the orderly way have failed
  if (failure === undefined) console.log(`\n${stage.summary()}\n`);
  console.log(left.length === 0 ? 'Nothing is left behind.' : `Left behind:\n  ${left.join('\n  ')}`);
  if (interrupted.signal.aborted) return 130;
  return failure === undefined && left.length === 0 ? 0 : 1;
}

process.exit(await main());
