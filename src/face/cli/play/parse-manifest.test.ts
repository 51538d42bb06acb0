import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { checkReferences } from './check-references.ts';
import { dataSources } from './data-sources.ts';
import type { ContainerSpec, PodManifest } from './manifest.ts';
import { parseManifest } from './parse-manifest.ts';

const podText = (spec: string, kind = 'Pod') => `apiVersion: v1\nkind: ${kind}\nmetadata: {name: p}\nspec: ${spec}\n`;
const containerText = (fields: string) => podText(`{containers: [{name: a, image: 'r/x:1', ${fields}}]}`);

function problemsOf(text: string): string[] {
  const { manifest, findings } = parseManifest(text);
  return [...findings.problems, ...checkReferences(manifest, dataSources(manifest))];
}

function onlyPod(text: string): PodManifest {
  const { manifest, findings } = parseManifest(text);
  assert.deepEqual(findings.problems, []);
  return manifest.pods[0]!;
}

const onlyContainer = (fields: string): ContainerSpec => onlyPod(containerText(fields)).spec.containers[0]!;

test('the example of the documentation is understood, and ignores nothing', async () => {
  const { manifest, findings } = parseManifest(await readFile(new URL('../../../../examples/web.yaml', import.meta.url), 'utf8'));

  assert.deepEqual([findings.problems, [...findings.ignored], findings.notes], [[], [], []]);
  assert.deepEqual(checkReferences(manifest, dataSources(manifest)), []);
  assert.deepEqual(manifest.pods[0]!.spec.containers.map((one) => one.name), ['web', 'client']);
});

test('what is unsaid gets the defaults of Kubernetes', () => {
  const pod = onlyPod(containerText(''));

  assert.deepEqual([pod.namespace, pod.spec.dnsPolicy, pod.spec.terminationGracePeriodSeconds, pod.spec.serviceAccountName], ['default', 'ClusterFirst', 30, 'default']);
  const [container] = pod.spec.containers;
  assert.equal(container!.terminationMessagePath, '/dev/termination-log');
  assert.equal(container!.security.allowPrivilegeEscalation, true);
});

test('the pull policy depends on the tag', () => {
  const policy = (image: string, said = '') => onlyPod(podText(`{containers: [{name: a, image: '${image}'${said}}]}`)).spec.containers[0]!.pullPolicy;

  assert.deepEqual(
    ['x', 'x:latest', 'host:5000/x', 'host:5000/x:1', `x@sha256:${'a'.repeat(64)}`, 'x:latest@sha256:ab'].map((image) => policy(image)),
    ['Always', 'Always', 'Always', 'IfNotPresent', 'IfNotPresent', 'IfNotPresent'],
  );
  assert.equal(policy('x', ', imagePullPolicy: Never'), 'Never');
});

test('a request that is unsaid is the limit', () => {
  const { resources } = onlyContainer('resources: {limits: {cpu: 0.5, memory: 1Gi, hugepages-2Mi: 4Mi}, requests: {memory: 64Mi}}');

  assert.deepEqual([resources.cpuLimitMilli, resources.cpuRequestMilli, resources.memoryLimit, resources.memoryRequest], [500, 500, 2n ** 30n, 2n ** 26n]);
  assert.deepEqual([...resources.hugepages], [['2MB', 4n * 2n ** 20n]]);
});

test('YAML is read as kubectl reads it: octal modes, yes for true, y and dates as text', () => {
  const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {y: y, date: 2026-01-31, time: 12:30:00}\n---\n${podText(
    "{hostPID: yes, containers: [{name: a, image: 'r/x:1'}], volumes: [{name: v, configMap: {name: c, defaultMode: 0640, items: [{key: y, path: f, mode: 0400}]}}]}",
  )}`;
  const { manifest, findings } = parseManifest(text);

  assert.deepEqual(findings.problems, []);
  assert.deepEqual([...manifest.configMaps[0]!.data].map(([key, value]) => [key, value.toString()]), [['y', 'y'], ['date', '2026-01-31'], ['time', '12:30:00']]);
  const [volume] = manifest.pods[0]!.spec.volumes;
  assert.ok(volume?.kind === 'configMap');
  assert.deepEqual([volume.defaultMode, volume.items![0]!.mode, manifest.pods[0]!.spec.hostPid], [0o640, 0o400, true]);
});

test('a Deployment and a DaemonSet are one pod each', () => {
  const workload = (kind: string) => `apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: app, namespace: shop}\nspec:\n  replicas: 3\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: a, image: 'r/x:1'}]}\n`;
  const { manifest, findings } = parseManifest(workload('Deployment'));

  assert.deepEqual(findings.problems, []);
  assert.deepEqual(findings.notes, ['Deployment app: one pod is run, not 3']);
  assert.deepEqual([manifest.pods[0]!.name, manifest.pods[0]!.namespace, manifest.pods[0]!.labels], ['app-pod', 'shop', { a: 'b' }]);
  assert.deepEqual(problemsOf(workload('DaemonSet')), []);
  assert.match(problemsOf(workload('Deployment').replace('image: ', 'imag: ')).join('\n'), /Deployment app: spec\.template\.spec\.containers\[0\]\.imag: gantry play does not know/);
});

test('a Secret has base64 and plain values, and the plain one wins', () => {
  const { manifest, findings } = parseManifest(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: Opaque\ndata: {a: aGk=, b: aGk=}\nstringData: {b: ho}\n---\n${containerText('')}`);

  assert.deepEqual(findings.problems, []);
  assert.deepEqual([...manifest.secrets[0]!.data].map(([key, value]) => `${key}=${value}`), ['a=hi', 'b=ho']);
});

test("the kubelet's fields are ignored, and named", () => {
  const { findings } = parseManifest(podText("{restartPolicy: Always, nodeSelector: {a: b}, containers: [{name: a, image: 'r/x:1', livenessProbe: {exec: {}}, lifecycle: {}}]}"));

  assert.deepEqual(findings.problems, []);
  assert.deepEqual([...findings.ignored].sort(), ['lifecycle', 'livenessProbe', 'nodeSelector', 'restartPolicy']);
});

test('everything that is wrong is told at once, with its path', () => {
  const problems = problemsOf(`${podText("{foo: 1, containers: [{name: a, image: 'r/x:1', bar: 2, command: [sleep, 5]}, {name: A}], volumes: [{name: v, persistentVolumeClaim: {}}]}")}---\napiVersion: v1\nkind: Service\n`);

  assert.deepEqual(problems, [
    'Pod p: spec.containers[0].command[1]: wants text, not 5 (put it in quotes)',
    'Pod p: spec.containers[0].bar: gantry play does not know this field',
    'Pod p: spec.containers[1].name: wants lower-case letters, digits and - (at most 63)',
    'Pod p: spec.containers[1].image: is missing',
    'Pod p: spec.volumes[0].persistentVolumeClaim: gantry play does not know this field',
    'Pod p: spec.foo: gantry play does not know this field',
    'document 2: kind Service is not for a single node: gantry play runs Pod, Deployment and DaemonSet, and reads ConfigMap and Secret',
  ]);
});

const refusals: [string, string, RegExp][] = [
  ['no object', '- a\n', /the manifest: wants an object, not a list/],
  ['no YAML', 'a: [', /the manifest: not YAML: /],
  ['a key twice', 'a: 1\na: 2\n', /not YAML: Map keys must be unique/],
  ['nothing', '', /the manifest has no pod to run/],
  ['no kind', 'apiVersion: v1\n', /the manifest: kind: is missing/],
  ['another version', podText('{}').replace('v1', 'v1beta1'), /apiVersion: of a Pod is v1, not v1beta1/],
  ['a name that climbs', podText('{}').replace('name: p', 'name: ../../etc'), /metadata\.name: wants lower-case letters/],
  ['a namespace that climbs', podText('{}').replace('name: p', 'name: p, namespace: ..'), /metadata\.namespace: wants lower-case letters/],
  ['no container', podText('{}'), /spec\.containers: a pod has at least one/],
  ['two containers of a name', podText("{initContainers: [{name: a, image: x}], containers: [{name: a, image: x}]}"), /two containers are called a/],
  ['memory for an emptyDir', podText("{containers: [{name: a, image: x}], volumes: [{name: v, emptyDir: {medium: Memory}}]}"), /emptyDir\.medium: Memory needs a mount of its own/],
  ['two kinds of a volume', podText("{containers: [{name: a, image: x}], volumes: [{name: v, emptyDir: {}, hostPath: {path: /x}}]}"), /is emptyDir and hostPath at once/],
  ['a hostPath that climbs', podText("{containers: [{name: a, image: x}], volumes: [{name: v, hostPath: {path: /a/../b}}]}"), /path: wants an absolute path without \.\./],
  ['an item that climbs', podText("{containers: [{name: a, image: x}], volumes: [{name: v, configMap: {name: c, items: [{key: k, path: ../x}]}}]}"), /items\[0\]\.path: may not leave the volume by \.\./],
  ['a subPath that climbs', containerText('volumeMounts: [{name: v, mountPath: /x, subPath: a/../..}]'), /subPath: may not leave the volume/],
  ['an absolute subPath', containerText('volumeMounts: [{name: v, mountPath: /x, subPath: /a}]'), /subPath: is relative to the volume/],
  ['a mount on a mount', containerText('volumeMounts: [{name: v, mountPath: /x}, {name: v, mountPath: /x/}]'), /volumeMounts\[1\]\.mountPath: \/x\/ is mounted on twice/],
  ['a mount of nothing', containerText('volumeMounts: [{name: v, mountPath: /x}]'), /volumeMounts\[0\]: the pod has no volume v/],
  ['bidirectional without privilege', podText("{containers: [{name: a, image: x, volumeMounts: [{name: v, mountPath: /x, mountPropagation: Bidirectional}]}], volumes: [{name: v}]}"), /is for privileged containers only/],
  ['a ConfigMap that is not there', containerText('envFrom: [{configMapRef: {name: c}}]'), /envFrom\[0\]: the manifest has no ConfigMap c in namespace default/],
  ['a key that is not there', `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n${containerText('env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]')}`, /env\[0\]: ConfigMap c has no key k/],
  ['an unknown field of the pod', containerText('env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.phase}}}]'), /fieldPath: gantry play does not know "status\.phase"/],
  ['a value of two sources', containerText("env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), /valueFrom: cannot go with value/],
  ['a resource unknown to it', containerText('resources: {limits: {nvidia.com/gpu: 1}}'), /limits\.nvidia\.com\/gpu: gantry play knows cpu, memory/],
  ['more asked than allowed', containerText('resources: {limits: {cpu: 1}, requests: {cpu: 2}}'), /requests\.cpu: is more than the limit/],
  ['root that must not be', containerText('securityContext: {runAsNonRoot: true, runAsUser: 0}'), /runAsNonRoot is set, and runAsUser is 0/],
  ['privilege that must not grow', containerText('securityContext: {privileged: true, allowPrivilegeEscalation: false}'), /cannot be false in a privileged container/],
  ['a profile without a name', containerText('securityContext: {seccompProfile: {type: Localhost}}'), /localhostProfile: is missing/],
  ['a profile that climbs', containerText('securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../x}}'), /localhostProfile: may not contain \.\./],
  ['a host port twice', containerText('ports: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 80}]'), /ports\[1\]: host port 80 \(TCP\) belongs to Pod p spec\.containers\[0\]\.ports\[0\] already/],
  ['a port out of range', containerText('ports: [{containerPort: 70000}]'), /containerPort: wants a whole number from 1 to 65535, not 70000/],
  ['a pod twice', `${containerText('')}---\n${containerText('')}`, /pod default\/p is in the manifest twice/],
  ['a host name with a line end', podText("{hostAliases: [{ip: 1.2.3.4, hostnames: [\"a\\nb\"]}], containers: [{name: a, image: x}]}"), /is not a host name/],
  ['a key that climbs', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {..: x}\n', /a key has letters, digits/],
  ['a Secret that is not base64', 'apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {a: "?"}\n', /data\.a: is not base64/],
];

for (const [what, text, message] of refusals) {
  test(`refused: ${what}`, () => assert.match(problemsOf(text).join('\n'), message));
}

test('a pod without a usable name goes no further', () => {
  assert.deepEqual(parseManifest(podText('{}').replace('name: p', 'name: ../../etc')).manifest.pods, []);
});

test('a small file cannot become a large one', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...[...'bcdefgh'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)].join('\n');

  assert.match(problemsOf(bomb).join('\n'), /Excessive alias count/);
});

test('a manifest may be JSON', () => {
  const pod = onlyPod(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [{ name: 'a', image: 'x', workingDir: '/w', stdin: true, tty: true, args: ['b'] }] } }));

  const [container] = pod.spec.containers;
  assert.deepEqual([container!.workingDir, container!.stdin, container!.stdinOnce, container!.tty, container!.args], ['/w', true, false, true, ['b']]);
});
