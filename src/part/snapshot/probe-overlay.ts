import { mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, messageOf } from '../../base/errors.ts';
import { removeTree } from '../../host/files.ts';
import { libc } from '../../host/libc.ts';
import { rootOptions } from './overlay.ts';
import { changesDir, releaseRoot } from './snapshotter.ts';

/** A probe that a killed daemon left is taken away by the next. */
const prefix = 'probe-';

/**
 * Tries on a directory of our own whether overlayfs can have writable layers and layers of images there: mounts one, and makes and deletes
 * files in it. Undefined when it can, else why not, in words. Leaves nothing.
 */
export async function probeOverlay(directory: string): Promise<string | undefined> {
  for (const name of readdirSync(directory)) if (name.startsWith(prefix)) await removeProbe(join(directory, name));
  const probe = mkdtempSync(join(directory, prefix));
  try {
    useOverlay(probe);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await removeProbe(probe);
  }
}

function useOverlay(probe: string): void {
  const [layer, writableDir, mountpoint] = [join(probe, 'layer'), join(probe, 'writable'), join(probe, 'tree')];
  for (const path of [join(layer, 'folder'), changesDir('overlay', writableDir), join(writableDir, 'work'), mountpoint]) mkdirSync(path, { recursive: true });
  writeFileSync(join(layer, 'file'), '');
  mountQuickly(mountpoint, rootOptions({ writableDir, mountpoint, layers: [layer] }));
  writeFileSync(join(mountpoint, 'new'), '');
  unlinkSync(join(mountpoint, 'file')); // makes a whiteout
  rmSync(join(mountpoint, 'folder'), { recursive: true });
  mkdirSync(join(mountpoint, 'folder')); // which is opaque
}

/** A volatile overlay, known from Linux 5.10 on, does not write the whole filesystem to the disk when it is unmounted: the daemon's start waits for that. */
function mountQuickly(mountpoint: string, options: string): void {
  try {
    libc.mount('overlay', mountpoint, 'overlay', 0, `${options},volatile`);
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error;
    libc.mount('overlay', mountpoint, 'overlay', 0, options);
  }
}

async function removeProbe(probe: string): Promise<void> {
  await releaseRoot(join(probe, 'tree'));
  await removeTree(probe);
}
