/** Who a container's process is: what image and kubelet ask for, seen from inside and in the status. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { SupplementalGroupsPolicy } from '../../src/gen/cri.ts';
import type { LinuxContainerSecurityContext } from '../../src/gen/cri.ts';
import { busyboxImage, pushImage } from '../support/image.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();

interface Seen {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

const byNumber = (a: number, b: number): number => a - b;

/** Runs a container and answers who it is; its status must say the same. */
async function whoIs({ image = node.image, security = {}, env = {} }: { image?: string; security?: Partial<LinuxContainerSecurityContext>; env?: Record<string, string> }): Promise<Seen> {
  const envs = Object.entries(env).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  const id = await node.runContainer(pod, { image, script: 'id -u; id -g; id -G; echo "$HOME"', security, config: { envs } });
  await node.ended(id);
  const [uid = '', gid = '', groups = '', home = ''] = (await node.log(id)).map(({ text }) => text);
  const seen = { uid: Number(uid), gid: Number(gid), groups: groups.split(' ').map(Number).sort(byNumber), home };
  const told = (await node.statusOf(id)).user?.linux;
  assert.deepEqual({ uid: Number(told?.uid), gid: Number(told?.gid), groups: told?.supplementalGroups.map(Number).sort(byNumber) }, { uid: seen.uid, gid: seen.gid, groups: seen.groups });
  return seen;
}

async function imageOf(name: string, recipe: Parameters<typeof busyboxImage>[0]): Promise<string> {
  const image = await pushImage(node.registry, `test/identity-${name}:1`, busyboxImage(recipe));
  await node.pull(image);
  return image;
}

test('the image says who, in every form', async () => {
  const forms: readonly (readonly [user: string, seen: Seen])[] = [
    ['app', { uid: 1000, gid: 1000, groups: [1000, 2000], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1000, groups: [1000, 2000], home: '/home/app' }],
    ['app:extra', { uid: 1000, gid: 2000, groups: [2000], home: '/home/app' }],
    ['1000:nogroup', { uid: 1000, gid: 65_534, groups: [2000, 65_534], home: '/home/app' }],
    ['4242:4243', { uid: 4242, gid: 4243, groups: [4243], home: '/' }],
    [':extra', { uid: 0, gid: 2000, groups: [2000], home: '/root' }],
  ];
  for (const [index, [user, seen]] of forms.entries()) assert.deepEqual(await whoIs({ image: await imageOf(`form-${index}`, { config: { User: user } }) }), seen, user);
});

test('the kubelet has precedence, and a user whom the image does not know has no home and the root group', async () => {
  const image = await imageOf('precedence', { config: { User: 'app' } });

  assert.deepEqual(await whoIs({ image, security: { runAsUser: { value: 0n } } }), { uid: 0, gid: 0, groups: [0], home: '/root' });
  assert.deepEqual(await whoIs({ image, security: { runAsUser: { value: 4242n } } }), { uid: 4242, gid: 0, groups: [0], home: '/' });
  assert.deepEqual(await whoIs({ image, security: { runAsUsername: 'nobody', runAsGroup: { value: 7n } } }), { uid: 65_534, gid: 7, groups: [7], home: '/' });
});

test('HOME that somebody set stays', async () => {
  const image = await imageOf('home', { config: { User: 'app', Env: ['PATH=/bin', 'HOME=/srv'] } });

  assert.equal((await whoIs({ image })).home, '/srv');
  assert.equal((await whoIs({ image, env: { HOME: '/tmp' } })).home, '/tmp');
});

test("Merge has the image's groups too, Strict only those that were given", async () => {
  const groupsBy = async (supplementalGroupsPolicy: SupplementalGroupsPolicy) =>
    (await whoIs({ security: { runAsUser: { value: 1000n }, supplementalGroups: [7n], supplementalGroupsPolicy } })).groups;

  assert.deepEqual(await groupsBy(SupplementalGroupsPolicy.Merge), [7, 1000, 2000]);
  assert.deepEqual(await groupsBy(SupplementalGroupsPolicy.Strict), [7, 1000]);
});

test("an image's passwd that leads out of the image is looked for inside", async () => {
  const image = await imageOf('link', { config: { User: 'daemon' }, layers: [[{ path: 'etc/passwd', type: 'symlink', link: '../../../../../../etc/passwd' }]] });

  await assertFails(node.createContainer(pod, { image }), status.FAILED_PRECONDITION, /\/etc\/passwd/);
});

test('a group without a user, two users, and ids out of range are refused', async () => {
  const refused = (security: Partial<LinuxContainerSecurityContext>, pattern: RegExp) => assertFails(node.createContainer(pod, { security }), status.INVALID_ARGUMENT, pattern);

  await refused({ runAsGroup: { value: 7n } }, /run_as_group: it needs run_as_user or run_as_username/);
  await refused({ runAsUser: { value: 1n }, runAsUsername: 'app' }, /run_as_username: it cannot be given together with run_as_user/);
  await refused({ runAsUser: { value: 1n << 32n } }, /run_as_user: 4294967296 is not an id from 0 to 2147483647/);
  await refused({ supplementalGroups: [-1n] }, /supplemental_groups\[0\]: -1 is not an id/);
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
