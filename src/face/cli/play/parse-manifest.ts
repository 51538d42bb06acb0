/** From YAML text to a Manifest: documents, kinds, metadata, and the data of ConfigMaps and Secrets. */
import { Fields, Findings } from './fields.ts';
import type { DataObject, Manifest, PodManifest } from './manifest.ts';
import { parsePodSpec } from './parse-pod.ts';
import { yamlDocuments } from './yaml-documents.ts';

export interface ParsedManifest {
  readonly manifest: Manifest;
  readonly findings: Findings;
}

const largestManifest = 4 * 1024 * 1024;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const workloads: readonly string[] = ['Deployment', 'DaemonSet'];

/**
 * Parses a manifest. Never throws: all that is wrong is in `findings.problems`, and the manifest holds what could be
 * understood (`--down` needs no more than the names of its pods).
 */
export function parseManifest(text: string): ParsedManifest {
  const findings = new Findings();
  const found: Found = { pods: [], configMaps: [], secrets: [] };
  if (text.length > largestManifest) {
    findings.problems.push('the manifest is larger than 4 MiB');
    return { manifest: found, findings };
  }

  const documents = yamlDocuments(text);
  for (const [i, document] of documents.entries()) {
    const where = documents.length > 1 ? `document ${i + 1}` : 'the manifest';
    if ('problem' in document) findings.problems.push(`${where}: not YAML: ${document.problem}`);
    else if (document.content !== null && document.content !== undefined) parseDocument(document.content, where, found, findings);
  }
  if (found.pods.length === 0 && findings.problems.length === 0) findings.problems.push('the manifest has no pod to run');
  checkNames(found, findings);
  return { manifest: found, findings };
}

interface Found {
  readonly pods: PodManifest[];
  readonly configMaps: DataObject[];
  readonly secrets: DataObject[];
}

function parseDocument(content: unknown, where: string, found: Found, findings: Findings): void {
  const kind = new Fields(where, '', content, findings).text('kind');
  const source = `${kind ?? where}${titleOf(content)}`;
  const fields = new Fields(source, '', content, findings);
  fields.skip('kind', 'status');
  const apiVersion = fields.required('apiVersion');

  const expect = (version: string) => {
    if (apiVersion !== '' && apiVersion !== version) fields.problem('apiVersion', `of a ${kind} is ${version}, not ${apiVersion}`);
  };
  if (kind === 'Pod') {
    expect('v1');
    add(found.pods, parsePod(source, fields));
  } else if (kind !== undefined && workloads.includes(kind)) {
    expect('apps/v1');
    add(found.pods, parseWorkload(source, kind, fields));
  } else if (kind === 'ConfigMap') {
    expect('v1');
    add(found.configMaps, parseConfigMap(fields));
  } else if (kind === 'Secret') {
    expect('v1');
    add(found.secrets, parseSecret(fields));
  } else {
    findings.problems.push(
      kind === undefined
        ? `${where}: kind: is missing`
        : `${where}: kind ${kind} is not for a single node: gantry play runs Pod, Deployment and DaemonSet, and reads ConfigMap and Secret`,
    );
    return;
  }
  fields.end();
}

/** What has no usable name was reported, and goes no further: names become parts of paths. */
function add<T extends { name: string; namespace: string }>(list: T[], one: T): void {
  if (isSubdomain(one.name) && isLabel(one.namespace)) list.push(one);
}

function isSubdomain(name: string): boolean {
  return subdomain.test(name) && name.length <= 253;
}

function isLabel(name: string): boolean {
  return label.test(name) && name.length <= 63;
}

function titleOf(content: unknown): string {
  const name = (content as { metadata?: { name?: unknown } } | null)?.metadata?.name;
  return typeof name === 'string' && name.length <= 253 ? ` ${name}` : '';
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

function parseMetadata(fields: Fields, nameNeeded: boolean): Metadata {
  const metadata = fields.object('metadata');
  const name = nameNeeded ? metadata.required('name') : (metadata.text('name') ?? '');
  const namespace = metadata.text('namespace') ?? 'default';
  if (name !== '' && !isSubdomain(name)) metadata.problem('name', 'wants lower-case letters, digits, - and . (at most 253)');
  if (!isLabel(namespace)) metadata.problem('namespace', 'wants lower-case letters, digits and - (at most 63)');
  const result = { name, namespace, labels: metadata.textMap('labels'), annotations: metadata.textMap('annotations') };
  metadata.skip('creationTimestamp', 'uid', 'resourceVersion', 'generation', 'managedFields', 'ownerReferences', 'generateName', 'selfLink', 'finalizers');
  metadata.end();
  return result;
}

function parsePod(source: string, fields: Fields): PodManifest {
  const metadata = parseMetadata(fields, true);
  return { source, ...metadata, spec: parsePodSpec(fields.object('spec')) };
}

/** One pod of the template, called NAME-pod: on one node there is nothing to spread replicas over. */
function parseWorkload(source: string, kind: string, fields: Fields): PodManifest {
  const owner = parseMetadata(fields, true);
  const spec = fields.object('spec');
  const replicas = spec.whole('replicas', { min: 0, max: 2 ** 31 - 1 });
  if (replicas === 0) spec.problem('replicas', 'is 0: there is nothing to run');
  if (replicas !== undefined && replicas > 1) fields.note(`one pod is run, not ${replicas}`);
  spec.skip('selector');
  spec.ignore('strategy', 'updateStrategy', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds', 'paused');
  const template = spec.object('template');
  if (!spec.has('template')) spec.problem('template', 'is missing');
  const metadata = parseMetadata(template, false);
  const podSpec = parsePodSpec(template.object('spec'));
  template.end();
  spec.end();
  if (owner.name.length > 249) fields.problem('metadata.name', `of a ${kind} has at most 249 characters, since its pod is called NAME-pod`);
  return { source, name: `${owner.name}-pod`, namespace: owner.namespace, labels: metadata.labels, annotations: metadata.annotations, spec: podSpec };
}

function parseConfigMap(fields: Fields): DataObject {
  const { name, namespace } = parseMetadata(fields, true);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(fields.textMap('data'))) addKey(fields, data, 'data', key, Buffer.from(value));
  for (const [key, value] of Object.entries(fields.textMap('binaryData'))) addBase64(fields, data, 'binaryData', key, value);
  fields.skip('immutable');
  return { name, namespace, data };
}

function parseSecret(fields: Fields): DataObject {
  const { name, namespace } = parseMetadata(fields, true);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(fields.textMap('data'))) addBase64(fields, data, 'data', key, value);
  // Kubernetes lets stringData win over data.
  for (const [key, value] of Object.entries(fields.textMap('stringData'))) {
    data.delete(key);
    addKey(fields, data, 'stringData', key, Buffer.from(value));
  }
  fields.skip('immutable', 'type');
  return { name, namespace, data };
}

function addBase64(fields: Fields, data: Map<string, Buffer>, field: string, key: string, value: string): void {
  const bare = value.replace(/\s/g, '');
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(bare) && bare.length % 4 === 0) addKey(fields, data, field, key, Buffer.from(bare, 'base64'));
  else fields.problem(`${field}.${key}`, 'is not base64');
}

/** Keys become file names. */
function addKey(fields: Fields, data: Map<string, Buffer>, field: string, key: string, value: Buffer): void {
  if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === '.' || key.startsWith('..')) fields.problem(`${field}.${key}`, 'a key has letters, digits, -, _ and ., and does not begin with ..');
  else if (data.has(key)) fields.problem(`${field}.${key}`, 'is there twice');
  else data.set(key, value);
}

function checkNames(found: Manifest, findings: Findings): void {
  for (const [what, objects] of [['pod', found.pods], ['ConfigMap', found.configMaps], ['Secret', found.secrets]] as const) {
    const names = objects.map((one) => `${one.namespace}/${one.name}`);
    for (const name of new Set(names.filter((one, i) => names.indexOf(one) !== i))) findings.problems.push(`${what} ${name} is in the manifest twice`);
  }
}
