/** Images that Buildah and Podman build run unchanged: pulled from a registry and loaded from archives, in both manifest formats, gzip and zstd. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { runCommand } from '../../src/face/cli/runtime.fake.ts';
import { ImageSpec } from '../../src/gen/cri.ts';
import { withOwnCache } from '../support/containers-cache.ts';
import { message } from '../support/cri-messages.ts';
import { startWorkload } from '../support/workload.ts';

const execute = promisify(execFile);

/** Two layers that delete what lower ones have, and every field of a configuration that a container starts with. */
const containerfile = `
FROM scratch
COPY busybox setup /bin/
RUN ["/bin/busybox", "sh", "/bin/setup"]
RUN rm /srv/job/gone && rm -rf /data && mkdir /data && echo of the image > /data/vol
ENV WHO="the builder" EMPTY=
USER app
WORKDIR /srv/job
VOLUME /data
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $WHO as $(id -u) in $PWD; cat hard; ls /srv/job /data; cat /data/vol; grep -c ' /data ' /proc/mounts"]
`;
const setup = `
busybox --install -s /bin
mkdir -p /etc /srv/job /data
echo 'app:x:1000:1000::/srv/job:/bin/sh' > /etc/passwd
echo gone > /srv/job/gone && chown -R 1000:1000 /srv/job && ln /srv/job/gone /srv/job/hard
echo lower > /data/lower
`;
const told = 'the builder as 1000 in /srv/job\ngone\n/data:\nvol\n\n/srv/job:\nhard\nof the image\n1';

const has = (program: string): boolean => `${process.env.PATH}:/usr/sbin:/sbin`.split(':').some((folder) => existsSync(path.join(folder, program)));
const missing = ['buildah', 'podman'].filter((program) => !has(program));

function whyNot(): string | undefined {
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (npm run setup test)`;
  return process.env.RUNTIME === 'runc' && has('crun') ? 'the OCI runtime has no part in it: it runs with crun' : undefined;
}

const skip = whyNot() ?? false;
const spec = (image: string): { image: ImageSpec } => ({ image: message(ImageSpec, { image }) });

test('images of Buildah and Podman run as they were built', { skip }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'gantry-built-'));
  const node = await startWorkload();
  after(async () => {
    await node.stop();
    rmSync(folder, { recursive: true });
  });
  const at = (...names: string[]): string => path.join(folder, ...names);
  for (const builder of ['buildah', 'podman']) {
    mkdirSync(at(builder, 'context'), { recursive: true });
    copyFileSync('/bin/busybox', at(builder, 'context', 'busybox'));
    writeFileSync(at(builder, 'context', 'setup'), setup);
    writeFileSync(at(builder, 'context', 'Containerfile'), containerfile);
  }
  const storage = (name: string): string[] => ['--root', at(name, 'root'), '--runroot', at(name, 'run'), '--storage-driver', 'vfs'];
  const buildah = async (...words: string[]): Promise<unknown> => await execute('unshare', [...withOwnCache, 'buildah', ...storage('buildah'), ...words]);
  const podman = async (...words: string[]): Promise<unknown> => await execute('unshare', [...withOwnCache, 'podman', ...storage('podman'), '--tmpdir', at('podman', 'tmp'), '--events-backend', 'none', '--cgroup-manager', 'cgroupfs', ...words]);
  const build = ['build', '--quiet', '--layers', '--isolation', 'chroot', '--network', 'host'];
  const inRegistry = (name: string): string => `${node.registry.host}/built/${name}`;

  await Promise.all([
    buildah(...build, '--format', 'oci', '--tag', 'by-buildah:v1', at('buildah', 'context')).then(async () => {
      await buildah('push', '--quiet', '--tls-verify=false', '--compression-format', 'zstd', 'by-buildah:v1', `docker://${inRegistry('oci-zstd')}`);
      await buildah('push', '--quiet', 'by-buildah:v1', `oci-archive:${at('oci.tar')}:by-buildah:v1`);
    }),
    podman(...build, '--format', 'docker', '--tag', 'by-podman:v1', at('podman', 'context')).then(async () => {
      await podman('push', '--quiet', '--tls-verify=false', 'by-podman:v1', `docker://${inRegistry('docker-gzip')}`);
      await podman('save', '--quiet', '--output', at('docker.tar'), 'by-podman:v1');
    }),
  ]);

  const run = async (images: readonly string[]): Promise<void> => {
    const pod = await node.runPod();
    for (const image of images) assert.equal((await node.outputOf(pod, { image, command: [] })).trimEnd(), told, image);
    await node.removePod(pod);
  };
  const pulled = [inRegistry('oci-zstd'), inRegistry('docker-gzip')];
  const ids = await Promise.all(pulled.map((image) => node.pull(image)));
  await run(pulled);

  for (const image of ids) await node.client.removeImage(spec(image));
  const loaded = await runCommand(node.daemon.paths.socket, ['image', 'load', at('oci.tar'), at('docker.tar')]);
  assert.deepEqual([loaded.code, loaded.err, loaded.out.trim().split('\n')], [0, '', ['docker.io/library/by-buildah:v1', 'localhost/by-podman:v1']]);
  assert.deepEqual((await Promise.all(['by-buildah:v1', 'localhost/by-podman:v1'].map((image) => node.client.imageStatus(spec(image))))).map(({ image }) => image?.id), ids, 'by the same ids as from the registry');
  await run(['by-buildah:v1', 'localhost/by-podman:v1']);
});
