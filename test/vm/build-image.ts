/** Builds the disk, the kernel and the initial ram disk of the tests' virtual machine from Debian's packages. Needs root. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, cp, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { kernelOf } from './kernel-image.ts';
import { bootModules, diskSize, guestModules, keptModules, kernelPackage, leftOut, maskedUnits, packages, selinuxPackages, type SecurityModule } from './recipe.ts';

export interface VmImage {
  readonly securityModule: SecurityModule;
  readonly kernel: string;
  readonly initialRamDisk: string;
  readonly disk: string;
}

/** Where an image's files are, in its folder. */
export function imageIn(folder: string, securityModule: SecurityModule): VmImage {
  return { securityModule, kernel: path.join(folder, 'vmlinux'), initialRamDisk: path.join(folder, 'initrd'), disk: path.join(folder, 'disk.img') };
}

export interface AptSources {
  /** The release that this machine runs, as in `bookworm`. */
  readonly suite: string;
  /** Lines of sources.list(5). */
  readonly lines: readonly string[];
}

/** Where this machine gets Debian's own packages from, updates included; undefined when it gets them from nowhere. */
export function debianSources(): AptSources | undefined {
  const format = '$(ORIGIN) $(COMPONENT) $(REPO_URI) $(RELEASE)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Identifier: Packages'], { encoding: 'utf8' });
  const found = new Map<string, string>();
  for (const line of (stdout ?? '').split('\n')) {
    const [origin, component, uri, release] = line.split(' ');
    if (origin === 'Debian' && component === 'main') found.set(release!, `deb ${uri} ${release} main`);
  }
  const suite = [...found.keys()].sort((a, b) => a.length - b.length)[0];
  return suite === undefined ? undefined : { suite, lines: [...found.values()] };
}

/** The machine's sources of packages do not answer, or lack some: nothing that a test could be blamed for. */
export class PackagesUnavailable extends Error {
  override readonly name = 'PackagesUnavailable';
}

/** Builds the image where it says, in a folder that has to exist and be empty; about 40 s, a minute more with SELinux. What it needs meanwhile is gone at its end. */
export async function buildImage(image: VmImage, sources: AptSources, signal: AbortSignal): Promise<void> {
  const work = path.join(path.dirname(image.disk), 'work');
  const withSelinux = image.securityModule === 'selinux';
  const root = path.join(work, 'root');
  await mkdir(work);
  const run = (file: string, ...args: string[]): Promise<string> => runAlone([file, ...args], signal);

  await installPackages(root, { ...sources, names: [...packages, ...(withSelinux ? selinuxPackages : [])] }, run).catch((cause: unknown) => {
    throw signal.aborted ? cause : new PackagesUnavailable(`its packages cannot be installed: ${(cause as Error).message}`, { cause });
  });
  const { modules, version } = await installKernel(root, path.join(work, 'kernel'), image.kernel, run);
  await configure(root);
  if (withSelinux) await addContainersToPolicy(root, run);
  await packInitialRamDisk({ root, modules, version, folder: path.join(work, 'initrd'), file: image.initialRamDisk }, run);
  await run('mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'lazy_itable_init=0', '-m', '0', '-d', root, image.disk, diskSize);

  await rm(work, { recursive: true });
}

type Run = (file: string, ...args: string[]) => Promise<string>;

/**
 * Runs a program in process and mount namespaces of its own, so that aborting it ends all that it started (apt, dpkg, their
 * scripts) and unmounts what it mounted. Throws with its last words when it fails.
 */
async function runAlone(command: readonly string[], signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = (): boolean => child.kill('SIGKILL');
  signal.addEventListener('abort', end);
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const [out, err, [code]] = await Promise.race([Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]), failed]);
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${command[0]} failed with ${code}:\n${(out + err).trimEnd().split('\n').slice(-25).join('\n')}`);
  return out;
}

async function installPackages(root: string, { suite, lines, names }: AptSources & { names: readonly string[] }, run: Run): Promise<void> {
  // The kernel's package is fetched, not installed: its scripts would build a ram disk for hardware that is not there.
  const fetchKernel = `chroot "$1" sh -ec 'cd /root; apt-get -qq -o APT::Sandbox::User=root download "$(apt-cache depends ${kernelPackage} | sed -n "s/.*Depends: \\(linux-image-\\)/\\1/p" | head -1)"'`;
  await run(
    'mmdebstrap', '--quiet', '--variant=minbase', '--mode=root', `--include=${names.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"',
    ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--customize-hook=${fetchKernel}`,
    suite, root, ...lines,
  );
}

async function installKernel(root: string, unpacked: string, kernelFile: string, run: Run): Promise<{ modules: string; version: string }> {
  const archive = (await readdir(path.join(root, 'root'))).find((name) => name.startsWith('linux-image-') && name.endsWith('.deb'));
  if (archive === undefined) throw new Error(`no package of a kernel was fetched for ${kernelPackage}`);
  await run('dpkg-deb', '-x', path.join(root, 'root', archive), unpacked);
  await rm(path.join(root, 'root', archive));

  const kernelName = (await readdir(path.join(unpacked, 'boot'))).find((name) => name.startsWith('vmlinuz-'))!;
  const version = kernelName.slice('vmlinuz-'.length);
  await writeFile(kernelFile, kernelOf(await readFile(path.join(unpacked, 'boot', kernelName))));

  const modules = path.join(root, 'usr/lib/modules', version);
  const all = await firstThatExists([path.join(unpacked, 'usr/lib/modules', version), path.join(unpacked, 'lib/modules', version)]);
  for (const name of keptModules) await copyIfThere(path.join(all, 'kernel', name), path.join(modules, 'kernel', name));
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order']) await copyFile(path.join(all, name), path.join(modules, name));
  await run('chroot', root, 'depmod', version);
  return { modules, version };
}

async function firstThatExists(folders: readonly string[]): Promise<string> {
  for (const folder of folders) if (await readdir(folder).then(() => true, () => false)) return folder;
  throw new Error(`the kernel's package has none of ${folders.join(', ')}`);
}

/** Kernels differ: what one has as a module is built into the next, and modules may be packed (`.ko.xz`). */
async function copyIfThere(from: string, to: string): Promise<void> {
  for (const ending of from.endsWith('.ko') ? ['', '.xz', '.zst'] : ['']) {
    await cp(from + ending, to + ending, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

const guestFiles = path.join(import.meta.dirname, 'guest');

async function configure(root: string): Promise<void> {
  const units = path.join(root, 'etc/systemd/system');
  const put = (file: string, content: string): Promise<void> => writeFile(path.join(root, file), content);
  await put('etc/hostname', 'node\n');
  await put('etc/hosts', '127.0.0.1 localhost node\n');
  await put('etc/fstab', '');
  await put('etc/modules-load.d/tests.conf', `${guestModules.join('\n')}\n`);
  await copyFile(path.join(guestFiles, 'run-command.sh'), path.join(root, 'usr/local/sbin/run-command'));
  await copyFile(path.join(guestFiles, 'run-command.service'), path.join(units, 'run-command.service'));
  await mkdir(path.join(units, 'multi-user.target.wants'), { recursive: true });
  await symlink('../run-command.service', path.join(units, 'multi-user.target.wants/run-command.service'));
  for (const unit of maskedUnits) {
    await rm(path.join(units, unit), { force: true });
    await symlink('/dev/null', path.join(units, unit));
  }
}

/** Debian's policy names types for containers (lxc_contexts) and has none of them. Compiled here, as a machine that is emulated takes long for it. */
async function addContainersToPolicy(root: string, run: Run): Promise<void> {
  await copyFile(path.join(guestFiles, 'containers.cil'), path.join(root, 'root/containers.cil'));
  await run('chroot', root, 'semodule', '--noreload', '--store', 'default', '--install', '/root/containers.cil');
}

interface RamDisk {
  /** The root tree, with the modules of this version of the kernel. */
  readonly root: string;
  readonly modules: string;
  readonly version: string;
  /** Where it is put together. */
  readonly folder: string;
  readonly file: string;
}

async function packInitialRamDisk({ root, modules, version, folder, file }: RamDisk, run: Run): Promise<void> {
  for (const name of ['bin', 'proc', 'dev', 'root', 'modules']) await mkdir(path.join(folder, name), { recursive: true });
  await copyFile(path.join(root, 'bin/busybox'), path.join(folder, 'bin/busybox'));
  await symlink('busybox', path.join(folder, 'bin/sh'));
  await copyFile(path.join(guestFiles, 'init.sh'), path.join(folder, 'init'));
  await chmod(path.join(folder, 'init'), 0o755);
  const order = new Set<string>();
  for (const name of bootModules) {
    for (const line of (await run('chroot', root, 'modprobe', '--set-version', version, '--show-depends', name)).split('\n')) {
      const found = /^insmod (\S+)/.exec(line)?.[1];
      if (found !== undefined) order.add(path.join(modules, found.slice(found.indexOf('/kernel/'))));
    }
  }
  for (const [n, module] of [...order].entries()) {
    const target = path.join(folder, 'modules', `${String(n).padStart(2, '0')}.ko`);
    const unpack = { '.xz': 'xz -dc', '.zst': 'zstd -dcq' }[path.extname(module)] ?? 'cat';
    await run('sh', '-ec', `${unpack} "$1" > "$2"`, 'sh', module, target);
  }
  await run('sh', '-ec', 'cd "$1"; find . | busybox cpio -o -H newc > "$2"', 'sh', folder, file);
}
