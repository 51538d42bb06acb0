/**
 * Keeps the built image outside the repository, one for each recipe, so that only the first run takes the time to build it.
 * Any number of runs may ask at once: one builds, the others wait for it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { buildImage, debianSources, imageIn, type AptSources, type VmImage } from './build-image.ts';
import type { SecurityModule } from './recipe.ts';

export const cacheFolder = '/var/cache/gantry-test-vm';
/** An image that nobody used for so long belongs to a recipe that is no more. */
const unusedMs = 7 * 24 * 3600_000;
const buildingPrefix = 'building-';

export interface ImageRequest {
  /** `apparmor` without it. */
  readonly securityModule?: SecurityModule | undefined;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** The image of the recipe as it is now, built when it is not in the cache. */
export async function ensureImage({ securityModule = 'apparmor', signal, print }: ImageRequest): Promise<VmImage> {
  const sources = debianSources();
  if (sources === undefined) throw new Error('apt knows no source of Debian packages');
  const folder = path.join(cacheFolder, await idOf(sources, securityModule));
  if (!existsSync(folder)) {
    await mkdir(cacheFolder, { recursive: true });
    await withLock(path.join(cacheFolder, 'lock'), signal, async () => {
      await removeStale();
      if (!existsSync(folder)) await build(folder, sources, { securityModule, signal, print });
    });
  }
  const now = new Date();
  await utimes(folder, now, now);
  return imageIn(folder, securityModule);
}

/** Every file that has a say in what the image becomes. */
async function idOf({ suite }: AptSources, securityModule: SecurityModule): Promise<string> {
  const hash = createHash('sha256').update(suite).update(securityModule);
  const guest = (await readdir(path.join(import.meta.dirname, 'guest'))).sort().map((name) => path.join('guest', name));
  for (const name of ['recipe.ts', 'build-image.ts', 'kernel-image.ts', ...guest]) hash.update(await readFile(path.join(import.meta.dirname, name)));
  return `${suite}-${hash.digest('hex').slice(0, 16)}`;
}

async function build(folder: string, sources: AptSources, { securityModule, signal, print }: Required<ImageRequest> & { securityModule: SecurityModule }): Promise<void> {
  const began = performance.now();
  print(`building the image of the virtual machine in ${cacheFolder} (once)`);
  const unfinished = await mkdtemp(path.join(cacheFolder, buildingPrefix));
  try {
    await buildImage(imageIn(unfinished, securityModule), sources, signal);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  print(`built in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

/** Under the lock: whoever was building is dead, and old images are in nobody's way to be removed. */
async function removeStale(): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (name === 'lock') continue;
    const folder = path.join(cacheFolder, name);
    const { mtimeMs } = await stat(folder);
    if (name.startsWith(buildingPrefix) || Date.now() - mtimeMs > unusedMs) await rm(folder, { recursive: true, force: true });
  }
}

/** The lock is a program's that ends with its standard input, so it goes with this process however that ends. */
async function withLock(file: string, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'close');
  try {
    await held(holder, signal);
    await act();
  } finally {
    holder.stdin!.end();
    if (signal.aborted) holder.kill();
    await ended.catch(() => {});
  }
}

async function held(holder: ChildProcess, signal: AbortSignal): Promise<void> {
  await once(holder.stdout!, 'data', { signal });
}
