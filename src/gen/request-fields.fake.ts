/**
 * Which table of tests answers for which message of the requests that make and change pods and containers, so that no field of the CRI
 * is read by nobody: each table must have a row for every field of its messages, and every message must have a table.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

interface Facts {
  readonly messages: Readonly<Record<string, readonly (readonly [number: number, name: string, type: string])[]>>;
}

const repository = path.resolve(import.meta.dirname, '../..');
const { messages } = JSON.parse(readFileSync(path.join(import.meta.dirname, 'published/v1-1.37.json'), 'utf8')) as Facts;

/** The requests whose every field must work or be refused. */
export const requests = ['RunPodSandboxRequest', 'CreateContainerRequest', 'UpdateContainerResourcesRequest', 'UpdatePodSandboxResourcesRequest'];

/** The tables, by what they answer for. */
export const tables: Readonly<Record<string, readonly string[]>> = {
  'src/native/pod/pod-fields.test.ts': [
    'RunPodSandboxRequest', 'UpdatePodSandboxResourcesRequest', 'PodSandboxConfig', 'PodSandboxMetadata', 'DNSConfig', 'PortMapping', 'LinuxPodSandboxConfig',
    'LinuxSandboxSecurityContext',
  ],
  'src/native/container/container-fields.test.ts': [
    'CreateContainerRequest', 'UpdateContainerResourcesRequest', 'ContainerMetadata', 'ImageSpec', 'CDIDevice', 'Int64Value', 'UserNamespace', 'IDMapping',
  ],
  'src/part/spec/cri-fields.test.ts': [
    'ContainerConfig', 'LinuxContainerConfig', 'LinuxContainerSecurityContext', 'LinuxContainerResources', 'Capability', 'NamespaceOption', 'SELinuxOption',
    'SecurityProfile', 'Mount', 'Device', 'KeyValue', 'HugepageLimit',
  ],
};

/** A row that is proven elsewhere: the file and the beginning of the test's name, as it stands there. */
export interface Proof {
  readonly file: string;
  readonly test: string;
}

/** Every message below a request, itself included; Windows' are refused as a whole where they begin. */
export function messagesBelow(message: string, found = new Set<string>()): Set<string> {
  const fields = messages[message];
  if (fields === undefined || found.has(message) || message.startsWith('Windows')) return found;
  found.add(message);
  for (const [, , type] of fields) messagesBelow(type.replace('repeated ', ''), found);
  return found;
}

/** The fields that a table answers for, as the proto spells them: `DNSConfig.servers`. */
export function fieldsOfTable(file: string): string[] {
  return tables[file]!.flatMap((message) => messages[message]!.map(([, name]) => `${message}.${name}`));
}

/** What is wrong with a table: fields without a row, rows without a field, and proofs that are not there. */
export function faultsOfTable(file: string, rows: readonly { readonly field: string; readonly proof?: Proof }[]): string[] {
  const fields = fieldsOfTable(file);
  const covered = new Set(rows.map(({ field }) => field));
  return [
    ...fields.filter((field) => !covered.has(field)).map((field) => `${field} has no row`),
    ...[...covered].filter((field) => !fields.includes(field)).map((field) => `there is no field ${field}`),
    ...rows.flatMap(({ field, proof }) => (proof === undefined || isThere(proof) ? [] : [`${field}: no test "${proof.test}" in ${proof.file}`])),
  ];
}

function isThere({ file, test }: Proof): boolean {
  const where = path.join(repository, file);
  return existsSync(where) && readFileSync(where, 'utf8').includes(test);
}
