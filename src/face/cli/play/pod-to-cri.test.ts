import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountPropagation, NamespaceMode, Protocol, SecurityProfile_ProfileType as ProfileType } from '../../../gen/cri.ts';
import { oomScoreAdj, podResources, qosClass } from './cgroup-resources.ts';
import { dataSources } from './data-sources.ts';
import { environmentOf } from './environment.ts';
import { hostsFile } from './hosts-file.ts';
import { parseManifest } from './parse-manifest.ts';
import { fingerprintOf, playUid, type PodFacts } from './pod-facts.ts';
import { containerToCri, mountToCri, podToCri } from './pod-to-cri.ts';
import { rootProblem } from './security-to-cri.ts';

const facts: PodFacts = {
  host: { nodeName: 'node-1', hostIps: ['192.0.2.1'], memoryBytes: 1000n * 2n ** 20n, dns: { servers: ['192.0.2.53'], searches: ['lan'], options: ['ndots:1', 'rotate'] } },
  uid: 'u-1', logDirectory: '/logs', fingerprint: 'f', podIps: ['10.1.2.3', 'fd00::3'],
};
const root = { uid: 0n, username: '' };

function given(spec: string, more = '') {
  const { manifest, findings } = parseManifest(`${more}apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}, annotations: {note: x}}\nspec: ${spec}\n`);
  assert.deepEqual(findings.problems, []);
  const pod = manifest.pods[0]!;
  return { pod, sandbox: podToCri(pod, facts), container: (i = 0, user = root) => {
    const container = pod.spec.containers[i]!;
    const environment = environmentOf(container, pod, dataSources(manifest), facts);
    return containerToCri({ pod, container, facts, imageId: 'sha256:1', imageUser: user, environment, mounts: [] });
  } };
}
const one = (fields = '', pod = '') => given(`{containers: [{name: a, image: 'r/x:1'${fields}}]${pod}}`);
const envOf = (config: { envs: { key: string; value: Uint8Array }[] }) => Object.fromEntries(config.envs.map(({ key, value }) => [key, Buffer.from(value).toString()]));

test('a pod says who it is in metadata and labels', () => {
  const { sandbox } = one();

  assert.deepEqual(sandbox.metadata, { name: 'web', namespace: 'default', uid: 'u-1', attempt: 0 });
  assert.deepEqual(sandbox.labels, { app: 'web', 'io.kubernetes.pod.name': 'web', 'io.kubernetes.pod.namespace': 'default', 'io.kubernetes.pod.uid': 'u-1' });
  assert.deepEqual(sandbox.annotations, { note: 'x', 'gantry.play/fingerprint': 'f' });
  assert.equal(sandbox.hostname, 'web');
  assert.equal(sandbox.logDirectory, '/logs');
});

test('namespaces follow hostNetwork, hostPID, hostIPC and shareProcessNamespace', () => {
  const modes = (pod: string) => {
    const { network, pid, ipc } = one('', pod).sandbox.linux!.securityContext!.namespaceOptions!;
    return [network, pid, ipc];
  };
  const { POD, CONTAINER, NODE } = NamespaceMode;

  assert.deepEqual(modes(''), [POD, CONTAINER, POD]);
  assert.deepEqual(modes(', shareProcessNamespace: true'), [POD, POD, POD]);
  assert.deepEqual(modes(', hostNetwork: true, hostPID: true, hostIPC: true'), [NODE, NODE, NODE]);
});

test('a pod in the host network has no host name and no port mappings of its own', () => {
  const { sandbox } = one(', ports: [{containerPort: 80, hostPort: 80}]', ', hostNetwork: true');

  assert.deepEqual([sandbox.hostname, sandbox.portMappings], ['', []]);
});

test('host ports are mapped, other ports are only told', () => {
  const { sandbox } = one(', ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}, {containerPort: 53, hostPort: 53, protocol: UDP}, {containerPort: 9}]');

  assert.deepEqual(sandbox.portMappings, [
    { protocol: Protocol.TCP, containerPort: 80, hostPort: 8080, hostIp: '127.0.0.1' },
    { protocol: Protocol.UDP, containerPort: 53, hostPort: 53, hostIp: '' },
  ]);
});

test("DNS is the node's with the pod's own added, or only the pod's own", () => {
  const config = ", dnsConfig: {nameservers: [10.0.0.10], searches: [lan, svc], options: [{name: ndots, value: '5'}]}";

  assert.deepEqual(one('', config).sandbox.dnsConfig, { servers: ['192.0.2.53', '10.0.0.10'], searches: ['lan', 'svc'], options: ['ndots:5', 'rotate'] });
  assert.deepEqual(one('', `${config}, dnsPolicy: None`).sandbox.dnsConfig, { servers: ['10.0.0.10'], searches: ['lan', 'svc'], options: ['ndots:5'] });
});

test('requests become shares, limits become quotas', () => {
  const resources = (text: string) => {
    const { cpuShares, cpuQuota, cpuPeriod, memoryLimitInBytes } = one(`, resources: ${text}`).container().linux!.resources!;
    return [cpuShares, cpuQuota, cpuPeriod, memoryLimitInBytes];
  };

  assert.deepEqual(resources('{}'), [2n, 0n, 0n, 0n]);
  assert.deepEqual(resources('{requests: {cpu: 100m, memory: 64Mi}}'), [102n, 0n, 0n, 0n]);
  assert.deepEqual(resources('{limits: {cpu: 2, memory: 1Gi}}'), [2048n, 200_000n, 100_000n, 2n ** 30n]);
  assert.deepEqual(resources('{limits: {cpu: 1m}}'), [2n, 1000n, 100_000n, 0n]);
  assert.deepEqual(resources('{limits: {cpu: 1000}}')[0], 262_144n);
});

test('the oom score follows the quality of service', () => {
  const score = (text: string) => {
    const spec = one(`, resources: ${text}`).pod.spec;
    return [qosClass(spec), oomScoreAdj(qosClass(spec), spec.containers[0]!.resources, facts.host.memoryBytes)];
  };

  assert.deepEqual(score('{}'), ['BestEffort', 1000]);
  assert.deepEqual(score('{limits: {cpu: 1, memory: 100Mi}}'), ['Guaranteed', -997]);
  assert.deepEqual(score('{requests: {memory: 250Mi}}'), ['Burstable', 750]);
  assert.deepEqual(score('{requests: {cpu: 1}}'), ['Burstable', 999]);
  assert.deepEqual(score('{requests: {memory: 2000Mi}}'), ['Burstable', 3]);
});

test('a pod has the sum of its containers, or its greatest init container, and a limit only if all have one', () => {
  const limits = (cpu: string, memory: string) => `resources: {limits: {cpu: ${cpu}, memory: ${memory}}}`;
  const both = given(`{initContainers: [{name: i, image: x, ${limits('5', '10Mi')}}], containers: [{name: a, image: x, ${limits('1', '20Mi')}}, {name: b, image: x, ${limits('2', '30Mi')}}]}`);
  const free = given(`{containers: [{name: a, image: x, ${limits('1', '20Mi')}}, {name: b, image: x}]}`);

  const { cpuQuota, cpuShares, memoryLimitInBytes } = podResources(both.pod.spec);
  assert.deepEqual([cpuQuota, cpuShares, memoryLimitInBytes], [500_000n, 5120n, 50n * 2n ** 20n]);
  assert.deepEqual([podResources(free.pod.spec).cpuQuota, podResources(free.pod.spec).memoryLimitInBytes], [0n, 0n]);
});

test('a container takes the word of its pod where it says nothing itself', () => {
  const pod = ', securityContext: {runAsUser: 1000, runAsGroup: 1001, fsGroup: 2000, supplementalGroups: [3000, 2000], seccompProfile: {type: Unconfined}}';
  const inherited = one('', pod).container().linux!.securityContext!;
  const own = one(', securityContext: {runAsUser: 7, seccompProfile: {type: Localhost, localhostProfile: a/b.json}}', pod).container().linux!.securityContext!;

  assert.deepEqual([inherited.runAsUser, inherited.runAsGroup, inherited.supplementalGroups], [{ value: 1000n }, { value: 1001n }, [2000n, 3000n]]);
  assert.equal(inherited.seccomp!.profileType, ProfileType.Unconfined);
  assert.deepEqual(own.runAsUser, { value: 7n });
  assert.deepEqual(own.seccomp, { profileType: ProfileType.Localhost, localhostRef: '/var/lib/kubelet/seccomp/a/b.json' });
});

test('unsaid, a container is confined; a privileged one is not', () => {
  const plain = one().container().linux!.securityContext!;
  const privileged = one(', securityContext: {privileged: true, procMount: Unmasked}');

  assert.equal(plain.seccomp!.profileType, ProfileType.RuntimeDefault);
  assert.ok(plain.maskedPaths.includes('/proc/kcore') && plain.readonlyPaths.includes('/proc/sys'));
  assert.equal(plain.noNewPrivs, false);
  assert.equal(privileged.container().linux!.securityContext!.seccomp!.profileType, ProfileType.Unconfined);
  assert.deepEqual(privileged.container().linux!.securityContext!.maskedPaths, []);
  assert.equal(privileged.sandbox.linux!.securityContext!.privileged, true);
});

test('hardening reaches the runtime', () => {
  const context = one(', securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {add: [NET_ADMIN], drop: [ALL]}}').container().linux!.securityContext!;

  assert.deepEqual([context.noNewPrivs, context.readonlyRootfs], [true, true]);
  assert.deepEqual(context.capabilities, { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'], addAmbientCapabilities: [] });
});

test("without a user of its own a container has its image's", () => {
  const byName = one().container(0, { uid: undefined as unknown as bigint, username: 'nginx' }).linux!.securityContext!;

  assert.deepEqual([byName.runAsUser, byName.runAsUsername], [undefined, 'nginx']);
  assert.deepEqual(one().container(0, { uid: 33n, username: '' }).linux!.securityContext!.runAsUser, { value: 33n });
});

test('runAsNonRoot is checked against the image', () => {
  const problem = (context: string, user: { uid: bigint | undefined; username: string }) => {
    const { pod } = one(`, securityContext: {runAsNonRoot: true${context}}`);
    return rootProblem(pod.spec.containers[0]!, pod.spec, user);
  };

  assert.match(problem('', root)!, /the image runs as root: set runAsUser/);
  assert.match(problem('', { uid: undefined, username: 'app' })!, /user app is a name that may mean root/);
  assert.equal(problem('', { uid: 5n, username: '' }), undefined);
  assert.equal(problem(', runAsUser: 5', root), undefined);
});

test('the environment comes from everywhere, later over earlier, with earlier ones expanded', () => {
  const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {A: from-map, B: b}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pw: secret}\n---\n';
  const env = [
    '{name: A, value: own}', '{name: C, value: "$(A)-$(P_B)-$(LATER)-$$(A)"}', '{name: LATER, value: x}', '{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}',
    '{name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}', "{name: L, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}", '{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}',
    '{name: PW, valueFrom: {secretKeyRef: {name: s, key: pw}}}', '{name: NONE, valueFrom: {secretKeyRef: {name: t, key: pw, optional: true}}}',
  ].join(', ');
  const config = given(`{containers: [{name: a, image: x, command: [run, $(A)], args: ["$(NONE)"], envFrom: [{configMapRef: {name: c}, prefix: P_}, {configMapRef: {name: c}}], env: [${env}]}]}`, configMap).container();

  assert.deepEqual(envOf(config), { P_A: 'from-map', P_B: 'b', A: 'own', B: 'b', C: 'own-b-$(LATER)-$(A)', LATER: 'x', IP: '10.1.2.3', IPS: '10.1.2.3,fd00::3', L: 'web', NODE: 'node-1', PW: 'secret' });
  assert.deepEqual([config.command, config.args], [['run', 'own'], ['$(NONE)']]);
});

test('a container is run by the id of its image, and remembers its name', () => {
  const { image, logPath, annotations } = one('', ', terminationGracePeriodSeconds: 7').container();

  assert.deepEqual([image!.image, image!.userSpecifiedImage, logPath, annotations['io.kubernetes.pod.terminationGracePeriod']], ['sha256:1', 'r/x:1', 'a/0.log', '7']);
});

test('mounts say how they propagate', () => {
  const { pod } = one(', volumeMounts: [{name: v, mountPath: /x, readOnly: true, mountPropagation: HostToContainer}]', ', volumes: [{name: v}]');
  const { containerPath, hostPath, readonly, propagation } = mountToCri(pod.spec.containers[0]!.mounts[0]!, '/host', true);

  assert.deepEqual([containerPath, hostPath, readonly, propagation], ['/x', '/host', true, MountPropagation.PROPAGATION_HOST_TO_CONTAINER]);
});

test("the hosts file has the pod's names and aliases, or the node's file", () => {
  const pod = (more: string) => one('', `, hostname: h, subdomain: s, hostAliases: [{ip: 10.9.9.9, hostnames: [db, db.local]}]${more}`).pod;

  assert.match(hostsFile(pod(''), ['10.1.2.3'], 'NODE\n'), /\n10\.1\.2\.3\th\.s\.default\.svc\.cluster\.local h\n10\.9\.9\.9\tdb db\.local\n$/);
  assert.equal(hostsFile(pod(', hostNetwork: true'), ['10.1.2.3'], 'NODE\n'), 'NODE\n10.9.9.9\tdb db.local\n');
});

test('a uid is the same for the same name, and another for another', () => {
  assert.equal(playUid('a', 'b'), playUid('a', 'b'));
  assert.notEqual(playUid('a', 'b'), playUid('b', 'a'));
  assert.match(playUid('a', 'b'), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('the fingerprint changes with the pod and with the data it refers to', () => {
  const data = (value: string) => [{ name: 'c', data: new Map([['k', Buffer.from(value)]]) }];
  const first = fingerprintOf(one().pod, data('1'));

  assert.equal(fingerprintOf(one().pod, data('1')), first);
  assert.notEqual(fingerprintOf(one().pod, data('2')), first);
  assert.notEqual(fingerprintOf(one(', tty: true').pod, data('1')), first);
  assert.notEqual(fingerprintOf(one(', resources: {limits: {hugepages-2Mi: 2Mi}}').pod, data('1')), first);
});
