/** Where the kubelet of this node is told which runtime it has. */
import { failure } from '../../base/errors.ts';
import type { NodeFiles } from '../node-files.ts';
import { parseFlags } from '../translation/cri-dockerd-flags.ts';
import { addEndpoint, editFlags, endpointIn } from './edit-flags.ts';
import type { KubeletTarget } from './edit-flags.ts';
import { editKubeletConfig, readKubeletConfig } from './edit-config.ts';

export interface Kubelet {
  /** Its configuration file; undefined when there is none. */
  readonly configFile: string | undefined;
  /** Files with flags of its. */
  readonly flagFiles: readonly string[];
  /** What it talks to now; undefined: its own Docker client, or its default. */
  readonly endpoint: string | undefined;
  /** The endpoint that it was started with, which counts more than what its configuration says. */
  readonly startedWith: string | undefined;
  readonly cgroupDriver: string;
  readonly minor: number | undefined;
}

/** A file as it is to be. */
export interface FileChange {
  readonly file: string;
  /** Undefined: the file is new. */
  readonly before: string | undefined;
  readonly after: string;
}

export interface KubeletFacts {
  /** The command line of the kubelet that runs; none when it does not. */
  readonly words: readonly string[];
  readonly minor: number | undefined;
}

const usualConfig = '/var/lib/kubelet/config.yaml';
const kubeadmFlags = '/var/lib/kubelet/kubeadm-flags.env';
const usualFlagFiles = [kubeadmFlags, '/etc/default/kubelet', '/etc/sysconfig/kubelet'];
const unitFolders = ['/usr/lib/systemd/system', '/lib/systemd/system', '/usr/local/lib/systemd/system', '/etc/systemd/system'];
const firstWithEndpointInConfig = 27;

/** Reads what tells the kubelet its runtime. `named` are files that the administrator knows of. */
export async function findKubelet(node: NodeFiles, { words, minor }: KubeletFacts, named: { configFile?: string; flagFile?: string } = {}): Promise<Kubelet> {
  const running = parseFlags(words);
  const configFile = named.configFile ?? running.get('config') ?? usualConfig;
  const config = await node.read(configFile);
  if (config === undefined && named.configFile !== undefined) throw failure('not-found', { act: "find the kubelet's configuration", object: configFile, why: 'there is no such file' });
  const told = config === undefined ? undefined : readKubeletConfig(config, configFile);
  const flagFiles = await filesWithFlags(node, named.flagFile);
  const texts = await Promise.all(flagFiles.map((file) => node.read(file)));
  const written = texts.map((text) => endpointIn(text ?? '')).filter((endpoint) => endpoint !== undefined).at(-1);
  return {
    configFile: config === undefined ? undefined : configFile,
    flagFiles, minor,
    endpoint: running.get('container-runtime-endpoint') ?? written ?? told?.endpoint,
    startedWith: running.get('container-runtime-endpoint'),
    cgroupDriver: running.get('cgroup-driver') ?? told?.cgroupDriver ?? 'cgroupfs',
  };
}

/**
 * What is to be changed so that the kubelet talks to `endpoint`: wherever it is told one now, else where kubeadm keeps its flags, else in its
 * configuration. Nothing is there to be changed, or it was started with an endpoint that no file is known to give it: failed-precondition.
 */
export async function planKubeletChanges(node: NodeFiles, kubelet: Kubelet, endpoint: string): Promise<FileChange[]> {
  const target: KubeletTarget = { endpoint, minor: kubelet.minor };
  const changes: FileChange[] = [];
  let isTold = false;
  for (const file of kubelet.flagFiles) {
    const before = (await node.read(file)) ?? '';
    const after = editFlags(before, target);
    isTold ||= endpointIn(after) !== undefined;
    changes.push({ file, before, after });
  }
  if (kubelet.startedWith !== undefined && !isTold) throw failure('failed-precondition', { act: 'change the kubelet', why: `it was started with --container-runtime-endpoint=${kubelet.startedWith}, and none of the usual files says so: name the one that does with --kubelet-flags` });
  const config = kubelet.configFile === undefined ? undefined : await node.read(kubelet.configFile);
  if (kubelet.configFile !== undefined && config !== undefined) {
    const knowsIt = readKubeletConfig(config, kubelet.configFile).endpoint !== undefined;
    const isForConfig = knowsIt || (!isTold && !kubelet.flagFiles.includes(kubeadmFlags) && (kubelet.minor ?? firstWithEndpointInConfig) >= firstWithEndpointInConfig);
    if (isForConfig) changes.push({ file: kubelet.configFile, before: config, after: editKubeletConfig(config, kubelet.configFile, endpoint) });
    isTold ||= isForConfig;
  }
  if (!isTold) changes.push(...withFlagAdded(changes, kubelet, target));
  return lastOfEach(changes).filter(({ before, after }) => before !== after);
}

function withFlagAdded(changes: readonly FileChange[], { flagFiles, configFile }: Kubelet, target: KubeletTarget): FileChange[] {
  const file = [kubeadmFlags, '/etc/default/kubelet', '/etc/sysconfig/kubelet'].find((one) => flagFiles.includes(one));
  if (file === undefined && configFile === undefined) throw failure('failed-precondition', { act: 'change the kubelet', why: `there is neither ${usualConfig} nor ${usualFlagFiles.join(' nor ')}: name the file with its flags with --kubelet-flags` });
  const chosen = file ?? '/etc/default/kubelet';
  const known = changes.find((change) => change.file === chosen);
  return [{ file: chosen, before: known?.before, after: addEndpoint(known?.after ?? '', chosen === kubeadmFlags ? 'KUBELET_KUBEADM_ARGS' : 'KUBELET_EXTRA_ARGS', target) }];
}

function lastOfEach(changes: readonly FileChange[]): FileChange[] {
  return [...new Map(changes.map((change) => [change.file, change])).values()];
}

async function filesWithFlags(node: NodeFiles, named: string | undefined): Promise<string[]> {
  const candidates = [...usualFlagFiles, ...(await filesOfUnit(node)), ...(named === undefined ? [] : [named])];
  const texts = await Promise.all(candidates.map(async (file) => [file, await node.read(file)] as const));
  if (named !== undefined && texts.at(-1)![1] === undefined) throw failure('not-found', { act: "find the kubelet's flags", object: named, why: 'there is no such file' });
  // A drop-in that says nothing of the runtime is not ours to touch.
  const found = texts.filter(([file, text]) => text !== undefined && (usualFlagFiles.includes(file) || file === named || /--container-runtime/.test(text))).map(([file]) => file);
  return [...new Map(found.map((file) => [node.at(file), file])).values()]; // /lib is /usr/lib on most nodes
}

/** The unit and its drop-ins, in whichever of systemd's folders they are. */
async function filesOfUnit(node: NodeFiles): Promise<string[]> {
  const found = await Promise.all(unitFolders.map(async (folder) => {
    const dropIns = (await node.list(`${folder}/kubelet.service.d`)).filter((name) => name.endsWith('.conf'));
    return [`${folder}/kubelet.service`, ...dropIns.map((name) => `${folder}/kubelet.service.d/${name}`)];
  }));
  return found.flat();
}
