/** What every endpoint answers, asked over the socket of a node with one pod and two containers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountPropagation, NamespaceMode } from '../../gen/cri.ts';
import type { ContainerStatus, LinuxContainerResources, Mount } from '../../gen/cri.ts';
import { fitsName } from './endpoint/list-containers.ts';
import { fitsReference } from './endpoint/list-images.ts';
import { doneId, fakeNode, imageId, mainId, messageWith, noon, podId, second, servedNode } from './node.fake.ts';
import type { FakeNode } from './node.fake.ts';

// oxlint-disable-next-line no-explicit-any -- documents of many forms, whose every wanted member is compared
type Document = Record<string, any>;

const spec = {
  pid: 4711, cgroup: `/kubepods/pod1/${mainId}`, runtimeHandler: 'crun', privileged: true,
  runtimeSpec: {
    process: { args: ['sh', '-c', 'sleep 1'], env: ['SECRET=', 'PATH='], cwd: '/w', terminal: true, selinuxLabel: 'a:b', apparmorProfile: 'p' },
    hostname: 'web', root: { path: '/rootfs', readonly: true }, linux: { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] },
  },
};
const image = {
  imageSpec: {
    created: '2026-01-01T00:00:00Z', author: 'me', architecture: 'amd64', os: 'linux', config: { Env: ['A=b'], Labels: { tier: 'web' } }, rootfs: { type: 'layers', diff_ids: ['sha256:l1'] },
    history: [{ created: '2026-01-01T00:00:00Z', created_by: 'COPY' }, { created_by: 'CMD', empty_layer: true, comment: 'c' }],
  },
};

function nodeWithFacts(): FakeNode {
  const node = fakeNode();
  node.infos.set(mainId, spec);
  node.infos.set(imageId, image);
  node.infos.set(podId, { pid: 99, cgroupParent: '/kubepods/pod1', config: { hostname: 'web' } });
  return node;
}

const changed = (node: FakeNode, fields: Partial<ContainerStatus>): void => void node.statuses.set(mainId, { ...node.statuses.get(mainId)!, ...fields });

test('a list has what runs, and with all=1 everything', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  const running = (await ask('GET /v1.41/containers/json')).document as Document[];
  const all = (await ask('GET /containers/json?all=1&size=1')).document as Document[];

  assert.deepEqual(running.map(({ Id }) => Id), [mainId, podId]);
  assert.deepEqual(all.map(({ Id }) => Id), [doneId, mainId, podId]);
  const { Names, Image, ImageID, Command, Created, State, Status, HostConfig, NetworkSettings, SizeRw, SizeRootFs, Labels } = all[1]!;
  assert.deepEqual([Names, Image, ImageID, Command, Created, State], [['/k8s_main_web_shop_uid-1_1'], 'docker.io/library/web:1', imageId, "sh -c 'sleep 1'", Number((noon + second) / second), 'running']);
  assert.match(Status, /^Up /);
  assert.deepEqual([HostConfig.NetworkMode, NetworkSettings.Networks.cni.IPAddress, SizeRw, SizeRootFs], [`container:${podId}`, '10.1.2.3', 11, 18]);
  assert.equal(Labels['io.kubernetes.sandbox.id'], podId);
  assert.match(all[0]!['Status'], /^Exited \(3\) .* ago$/);
  assert.deepEqual([all[2]!['Image'], all[2]!['HostConfig'].NetworkMode], ['registry.k8s.io/pause', 'cni']);
});

test('lists are filtered as Docker filters them', async (t) => {
  const node = nodeWithFacts();
  changed(node, { mounts: [{ hostPath: '/data' } as Mount] });
  const { ask } = await servedNode(t, node);
  const short: Record<string, string> = { [mainId]: 'main', [doneId]: 'done', [podId]: 'pod' };
  const listed = async (filters: object, more = ''): Promise<string[]> => ((await ask(`GET /containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}${more}`)).document as Document[]).map(({ Id }) => short[Id]!);

  const rows: [object, string[]][] = [
    [{ label: ['io.kubernetes.docker.type=podsandbox'] }, ['pod']],
    [{ label: ['app'], name: ['k8s_main'] }, []],
    [{ name: ['^/k8s_main.*_1$'] }, ['main']],
    [{ id: [mainId.slice(0, 12)] }, ['main']],
    [{ status: ['exited', 'created'] }, ['done']],
    [{ exited: ['3'] }, ['done']],
    [{ exited: ['0'] }, []],
    [{ ancestor: ['web:1'] }, ['main']],
    [{ ancestor: ['other'] }, []],
    [{ before: ['k8s_main_web_shop_uid-1_1'] }, ['pod']],
    [{ since: [podId] }, ['main']],
    [{ volume: ['/data'] }, ['main']],
    [{ network: ['cni'] }, ['main', 'pod']],
    [{ network: ['bridge'] }, []],
    [{ health: ['none'], 'is-task': ['false'], isolation: ['default'] }, ['main', 'pod']],
    [{ health: ['healthy'] }, []],
    [{ 'is-task': ['true'] }, []],
    [{ publish: ['80'] }, []],
    [{ expose: ['80'] }, []],
  ];
  for (const [filters, wanted] of rows) assert.deepEqual(await listed(filters), wanted, JSON.stringify(filters));
  assert.deepEqual(await listed({}, '&limit=2'), ['done', 'main']);
  assert.equal(messageWith(400, await ask('GET /containers/json?limit=many')), 'read parameter limit: "many" is no number');
  assert.match(messageWith(400, await ask('GET /containers/json?filters={"nme":["x"]}')), /"nme" is not known here/);
  assert.equal(messageWith(404, await ask('GET /containers/json?filters={"before":["nobody"]}')), 'No such container: nobody');
});

test('of regular expressions for names anchors and .* count, and no name is slow to look for', () => {
  assert.ok(fitsName('k8s_.*_shop', 'k8s_main_web_shop_1'));
  assert.ok(fitsName('^/k8s_main$', 'k8s_main'));
  assert.ok(!fitsName('^main', 'k8s_main'));
  assert.ok(!fitsName('(x+x+)+y', 'x'.repeat(10_000)));
});

test('inspect tells what agents read', async (t) => {
  const node = nodeWithFacts();
  changed(node, {
    logPath: '/var/log/pods/x/main/0.log', stopSignal: 38, user: { linux: { uid: 5n, gid: 6n, supplementalGroups: [] } },
    resources: { linux: { cpuShares: 512n, cpuQuota: 50_000n, cpuPeriod: 100_000n, memoryLimitInBytes: 2n ** 53n + 1n, memorySwapLimitInBytes: 9n, oomScoreAdj: 999n, cpusetCpus: '0-1', cpusetMems: '0' } as LinuxContainerResources, windows: undefined },
    mounts: [{ hostPath: '/host', containerPath: '/in', readonly: true, propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER } as Mount, { image: { image: 'models:1' }, containerPath: '/models', propagation: 0, readonly: true } as Mount],
  });
  const { ask } = await servedNode(t, node);

  const { document, text } = await ask(`GET /containers/${mainId.slice(0, 8)}/json?size=1`);
  const { State, HostConfig, Config, Mounts, NetworkSettings, GraphDriver, ...whole } = document as Document;

  assert.deepEqual([whole['Name'], whole['Path'], whole['Args'], whole['Image'], whole['LogPath'], whole['SizeRw']], ['/k8s_main_web_shop_uid-1_1', 'sh', ['-c', 'sleep 1'], imageId, '/var/log/pods/x/main/0.log', 11]);
  assert.deepEqual([State.Status, State.Running, State.Pid, State.StartedAt, State.FinishedAt], ['running', true, 4711, '2026-01-31T12:00:02.000000000Z', '0001-01-01T00:00:00Z']);
  assert.deepEqual([HostConfig.CpuShares, HostConfig.CpuQuota, HostConfig.CpuPeriod, HostConfig.MemorySwap, HostConfig.OomScoreAdj, HostConfig.CpusetCpus, HostConfig.Privileged, HostConfig.ReadonlyRootfs], [512, 50_000, 100_000, 9, 999, '0-1', true, true]);
  assert.ok(text.includes(`"Memory":${2n ** 53n + 1n},`), 'no digit is lost');
  assert.deepEqual([HostConfig.CgroupParent, HostConfig.LogConfig.Type, HostConfig.Binds, HostConfig.IpcMode, HostConfig.PidMode], ['/kubepods/pod1', 'cri', ['/host:/in:ro'], `container:${podId}`, '']);
  assert.deepEqual([HostConfig.MaskedPaths, HostConfig.ReadonlyPaths, whole['ProcessLabel'], whole['AppArmorProfile']], [['/proc/kcore'], ['/proc/sys'], 'a:b', 'p']);
  assert.deepEqual([Config.Env, Config.Tty, Config.WorkingDir, Config.User, Config.StopSignal, Config.Image, Config.Hostname], [['SECRET=', 'PATH='], true, '/w', '5:6', 'SIGRTMIN+3', 'docker.io/library/web:1', 'web']);
  assert.deepEqual(Mounts, [{ Type: 'bind', Source: '/host', Destination: '/in', Mode: 'ro', RW: false, Propagation: 'rslave' }, { Type: 'image', Source: 'models:1', Destination: '/models', Mode: 'ro', RW: false, Propagation: 'rprivate' }]);
  assert.deepEqual([NetworkSettings.IPAddress, NetworkSettings.GlobalIPv6Address, NetworkSettings.SandboxID], ['10.1.2.3', 'fd00::3', podId]);
  assert.deepEqual(GraphDriver, { Name: 'overlayfs', Data: { MergedDir: '/rootfs' } });
});

test('a container that ended says how, and its process is none of anybody', async (t) => {
  const node = nodeWithFacts();
  node.infos.set(doneId, { ...spec, cgroup: 'kubepods.slice:cri:x' });
  const { ask } = await servedNode(t, node);

  const { State, HostConfig } = (await ask('GET /containers/k8s_done_web_shop_uid-1_1/json')).document as Document;

  assert.deepEqual(State, { Status: 'exited', Running: false, Paused: false, Restarting: false, OOMKilled: true, Dead: false, Pid: 0, ExitCode: 3, Error: 'boom', StartedAt: '2026-01-31T12:00:03.000000000Z', FinishedAt: '2026-01-31T12:00:05.000000000Z' });
  assert.equal(HostConfig.CgroupParent, 'kubepods.slice');
});

test('a value of an environment variable is told by nobody, even where the engine tells it', async (t) => {
  const node = nodeWithFacts();
  node.infos.set(mainId, { runtimeSpec: { process: { env: ['SECRET=hunter2=x'] } } });
  const { ask } = await servedNode(t, node);

  const { text, document } = await ask(`GET /containers/${mainId}/json`);

  assert.deepEqual((document as Document)['Config'].Env, ['SECRET=']);
  assert.ok(!text.includes('hunter2'));
});

test('what an engine says in another form, or not at all, is left empty', async (t) => {
  const node = fakeNode();
  node.infos.set(mainId, { pid: 'x', runtimeSpec: { process: [] } });
  const { ask } = await servedNode(t, node);

  const { document, status } = await ask(`GET /containers/${mainId}/json`);

  assert.equal(status, 200);
  assert.deepEqual([(document as Document)['Path'], (document as Document)['State'].Pid, (document as Document)['GraphDriver'].Data], ['', 0, null]);
});

test('a pod is a container of its own', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  const { State, HostConfig, Config, Image } = (await ask(`GET /containers/${podId}/json`)).document as Document;

  assert.deepEqual([State.Pid, State.StartedAt, HostConfig.NetworkMode, HostConfig.IpcMode, HostConfig.CgroupParent, Config.Image, Config.Hostname, Image], [99, '2026-01-31T12:00:00.000000000Z', 'cni', 'shareable', '/kubepods/pod1', 'registry.k8s.io/pause', 'web', '']);
  assert.equal((await ask(`GET /containers/${podId}/logs?stdout=1`)).text, '');
});

test('a pod in the network of the node has none of its own to tell', async (t) => {
  const node = nodeWithFacts();
  const options = node.podStatus.linux!.namespaces!.options!;
  Object.assign(options, { network: NamespaceMode.NODE, pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE });
  const { ask } = await servedNode(t, node);

  const { HostConfig, NetworkSettings } = (await ask(`GET /containers/${mainId}/json`)).document as Document;

  assert.deepEqual([HostConfig.NetworkMode, HostConfig.PidMode, HostConfig.IpcMode, NetworkSettings.IPAddress, Object.keys(NetworkSettings.Networks)], ['host', 'host', 'host', '', ['host']]);
});

test('with a shared process namespace a container is in that of its pod', async (t) => {
  const node = nodeWithFacts();
  node.podStatus.linux!.namespaces!.options!.pid = NamespaceMode.POD;
  const { ask } = await servedNode(t, node);

  const modes = await Promise.all([mainId, podId].map(async (id) => ((await ask(`GET /containers/${id}/json`)).document as Document)['HostConfig'].PidMode));

  assert.deepEqual(modes, [`container:${podId}`, '']);
});

test('stats are in the shape of Docker, and no digit is lost', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  const { text, document } = await ask(`GET /containers/${mainId}/stats?stream=false&one-shot=true`);
  const stats = document as Document;

  assert.equal(stats['name'], '/k8s_main_web_shop_uid-1_1');
  assert.ok(text.includes(`"total_usage":${2n ** 60n + 1n},`));
  assert.deepEqual([stats['memory_stats'].usage, stats['memory_stats'].stats.inactive_file, stats['memory_stats'].stats.total_rss], [100, 30, 50]);
  assert.ok(stats['memory_stats'].limit > 0 && stats['cpu_stats'].online_cpus > 0 && stats['cpu_stats'].system_cpu_usage > 0);
  assert.deepEqual([stats['preread'], stats['precpu_stats'].system_cpu_usage, stats['networks']], ['0001-01-01T00:00:00Z', undefined, undefined]);
});

test('stats that are not streamed have one sample before them to count from', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  const stats = (await ask(`GET /containers/${mainId}/stats?stream=0`)).document as Document;

  assert.ok(stats['cpu_stats'].system_cpu_usage > stats['precpu_stats'].system_cpu_usage);
});

test('processes and traffic are those of the pod', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  const stats = (await ask(`GET /containers/${podId}/stats?stream=0&one-shot=1`)).document as Document;

  assert.deepEqual([stats['pids_stats'], stats['networks'].eth0.rx_bytes, stats['networks'].eth0.tx_bytes, stats['memory_stats']], [{ current: 4 }, 5, 6, {}]);
});

test('images are listed with what their configuration says', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());
  const listed = async (filters: object) => ((await ask(`GET /images/json?filters=${encodeURIComponent(JSON.stringify(filters))}`)).document as Document[]).length;

  assert.deepEqual((await ask('GET /v1.43/images/json')).document, [{
    Id: imageId, ParentId: '', RepoTags: ['docker.io/library/web:1'], RepoDigests: [`docker.io/library/web@sha256:${'e'.repeat(64)}`], Created: 1_767_225_600, Size: 7, SharedSize: -1, VirtualSize: 7,
    Labels: { tier: 'web' }, Containers: -1,
  }]);
  assert.equal(((await ask('GET /v1.44/images/json')).document as Document[])[0]!['VirtualSize'], undefined);
  const rows: [object, number][] = [
    [{ reference: ['web'] }, 1], [{ reference: ['w*:1'] }, 1], [{ reference: ['db'] }, 0], [{ label: ['tier=web'] }, 1], [{ label: ['x'] }, 0], [{ dangling: ['false'] }, 1], [{ dangling: { true: true } }, 0],
    [{ before: ['web:1'] }, 0], [{ since: ['web:1'] }, 0], [{ until: ['2026-01-02T00:00:00Z'] }, 1], [{ until: ['1'] }, 0],
  ];
  for (const [filters, count] of rows) assert.equal(await listed(filters), count, JSON.stringify(filters));
  assert.equal(messageWith(404, await ask('GET /images/json?filters={"since":["nothing"]}')), 'No such image: nothing');
});

test('a reference fits without the registry and the tag that are usual', () => {
  const names = { repoTags: ['docker.io/library/web:1', 'r.io:5000/a/b:2'], repoDigests: [] } as never;
  for (const pattern of ['web', 'web:1', 'docker.io/library/web', 'r.io:5000/a/b', 'r.io*:2']) assert.ok(fitsReference(pattern, names), pattern);
  for (const pattern of ['we', 'web:2', 'a/b']) assert.ok(!fitsReference(pattern, names), pattern);
});

test('an image is inspected by name, short name or id', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  for (const name of ['web:1', 'docker.io/library/web:1', imageId, imageId.slice(7)]) {
    const { Id, Created, Author, Config, Architecture, Os, Size, RootFS } = (await ask(`GET /images/${name}/json`)).document as Document;
    assert.deepEqual([Id, Created, Author, Config, Architecture, Os, Size, RootFS.Layers], [imageId, '2026-01-01T00:00:00Z', 'me', image.imageSpec.config, 'amd64', 'linux', 7, ['sha256:l1']]);
  }
  assert.equal(messageWith(404, await ask('GET /images/no/such:1/json')), 'No such image: no/such:1');
});

test('the history of an image has the last step first, each with the size of its layer', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());

  assert.deepEqual((await ask('GET /images/web:1/history')).document, [
    { Id: imageId, Created: 0, CreatedBy: 'CMD', Tags: ['docker.io/library/web:1'], Size: 0, Comment: 'c' },
    { Id: '<missing>', Created: 1_767_225_600, CreatedBy: 'COPY', Tags: null, Size: 40, Comment: '' },
  ]);
});

test('the whole of the node is told: version, info, disk', async (t) => {
  const { ask } = await servedNode(t, nodeWithFacts());
  const [version, info, df] = (await Promise.all(['GET /version', 'GET /info', 'GET /system/df'].map((line) => ask(line)))).map(({ document }) => document as Document);

  assert.deepEqual([version!['Version'], version!['ApiVersion'], version!['MinAPIVersion'], version!['Components'][0].Details.Gantry], ['25.0.0+gantry.1.2.3', '1.44', '1.24', '1.2.3']);
  assert.deepEqual([info!['Containers'], info!['ContainersRunning'], info!['Images'], info!['Driver'], info!['CgroupDriver'], info!['CgroupVersion'], info!['DockerRootDir'], info!['Runtimes'], info!['DefaultRuntime'], info!['Warnings']],
    [3, 2, 1, 'overlayfs', 'systemd', '2', '/r', { crun: { path: '/usr/bin/crun' } }, 'crun', ['WARNING: not NetworkReady: no network']]);
  assert.deepEqual([df!['LayersSize'], df!['Images'][0].SharedSize, df!['Images'][0].Containers, df!['Containers'].map(({ SizeRw }: Document) => SizeRw)], [40, 3, 2, [0, 11]]);
});

test('what a node of Kubernetes has none of is empty or not found', async (t) => {
  const { ask } = await servedNode(t);

  assert.deepEqual((await ask('GET /networks')).document, []);
  assert.deepEqual((await ask('GET /volumes')).document, { Volumes: [], Warnings: null });
  assert.deepEqual((await ask('GET /plugins')).document, []);
  assert.equal(messageWith(404, await ask('GET /networks/n')), 'network n not found');
  assert.equal(messageWith(404, await ask('GET /volumes/v')), 'no such volume: v');
  assert.equal(messageWith(404, await ask('GET /plugins/a/b/json')), 'plugin "a/b" not found');
  assert.equal(messageWith(404, await ask('GET /exec/e/json')), 'No such exec instance: e');
  for (const path of ['/swarm', '/nodes', '/nodes/n', '/services', '/tasks/t', '/secrets', '/configs']) {
    assert.equal(messageWith(503, await ask(`GET ${path}`)), 'This node is not a swarm manager: it is a node of Kubernetes, see kubectl');
  }
});
