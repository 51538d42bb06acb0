/** What this node has, and what of it concerns a migration. Looks, changes nothing. */
import path from 'node:path';
import { stringify } from 'smol-toml';
import { failure, messageOf } from '../base/errors.ts';
import type { SurveyRecord } from './journal.ts';
import { findKubelet } from './kubelet/find-kubelet.ts';
import type { Kubelet } from './kubelet/find-kubelet.ts';
import type { NodeFiles } from './node-files.ts';
import type { Outside } from './outside.ts';
import { translateContainerdConfig } from './translation/containerd-config.ts';
import { translateCriDockerdFlags } from './translation/cri-dockerd-flags.ts';
import { translateDaemonJson } from './translation/daemon-json.ts';
import { configOf } from './translation/translation.ts';
import type { Config, Translation } from './translation/translation.ts';

/** The last kubelet (1.x) with a Docker client of its own. */
const lastWithDockershim = 23;
/** Where the runtimes are when nobody says so; containerd is what a newer kubelet asks by itself. */
const usualEndpoints = { 'docker': undefined, 'cri-dockerd': 'unix:///run/cri-dockerd.sock', 'containerd': 'unix:///run/containerd/containerd.sock' } as const;

export interface SurveyOptions {
  /** Undefined: by the kubelet's endpoint. */
  readonly source: SurveyRecord['source'] | undefined;
  readonly daemonJson: string;
  readonly containerdConfig: string;
  readonly kubeletConfig: string | undefined;
  readonly kubeletFlags: string | undefined;
  /** Data roots; undefined: as their configurations say, else the usual ones. */
  readonly imageRoot: string | undefined;
  readonly namespace: string | undefined;
}

export interface Survey {
  readonly record: SurveyRecord;
  readonly kubelet: Kubelet;
  readonly sources: readonly TranslatedSource[];
  /** Where the images are. */
  readonly images: { readonly from: 'docker' | 'containerd'; readonly root: string; readonly namespace: string };
  /** Gantry's drop-in. */
  readonly config: string;
}

export interface TranslatedSource {
  readonly name: string;
  readonly translations: readonly Translation[];
}

/** `known`: what an earlier run of this migration found, before it changed anything. Nothing to leave, or nothing that can be left: failed-precondition. */
export async function survey({ node, outside, options, known }: { node: NodeFiles; outside: Outside; options: SurveyOptions; known: SurveyRecord | undefined }): Promise<Survey> {
  const [running, minor] = await Promise.all([outside.programs('kubelet'), outside.kubeletMinor()]);
  const named = { ...(options.kubeletConfig === undefined ? {} : { configFile: options.kubeletConfig }), ...(options.kubeletFlags === undefined ? {} : { flagFile: options.kubeletFlags }) };
  const words = running[0]?.words ?? known?.kubeletWords ?? [];
  const found = await findKubelet(node, { words, minor }, named);
  const record = known ?? { ...recordOf(options.source, found, outside.gantry.socket), kubeletWords: words };
  const kubelet = { ...found, minor: found.minor ?? (record.source === 'docker' ? lastWithDockershim : undefined) };
  const sources = await translatedSources(node, outside, options, record);
  const translations = sources.flatMap((source) => source.translations);
  const driver = { 'cgroup.driver': kubelet.cgroupDriver };
  return { record, kubelet, sources, images: imagesOf(options, record, await rootsOf(node, options)), config: renderConfig({ ...configOf(translations), ...driver }) };
}

function recordOf(source: SurveyOptions['source'], { endpoint: told, minor }: Kubelet, socket: string): SurveyRecord {
  const isNewer = minor !== undefined && minor > lastWithDockershim;
  const endpoint = told ?? usualEndpoints[source ?? (isNewer ? 'containerd' : 'docker')];
  const at = endpoint === undefined ? {} : { endpoint };
  if (endpoint !== undefined && endpoint.replace(/^unix:\/\//, '') === socket) throw failure('failed-precondition', { act: 'migrate', why: `this node's kubelet talks to Gantry at ${socket} already` });
  if (source !== undefined) return { source, ...at };
  if (endpoint === undefined || /dockershim/.test(endpoint)) return { source: 'docker' };
  if (/cri-dockerd/.test(endpoint)) return { source: 'cri-dockerd', ...at };
  if (/containerd/.test(endpoint)) return { source: 'containerd', ...at };
  throw failure('failed-precondition', { act: 'migrate', object: endpoint, why: 'the kubelet talks to a runtime that is not known here: name what it is like with --from, docker, cri-dockerd or containerd' });
}

async function translatedSources(node: NodeFiles, outside: Outside, options: SurveyOptions, { source }: SurveyRecord): Promise<TranslatedSource[]> {
  const found: TranslatedSource[] = [];
  if (source === 'containerd') return await translatedFile(node, options.containerdConfig, translateContainerdConfig);
  found.push(...(await translatedFile(node, options.daemonJson, (text) => translateDaemonJson(text, options.daemonJson))));
  for (const { words } of source === 'cri-dockerd' ? await outside.programs('cri-dockerd') : []) found.push({ name: 'cri-dockerd (running)', translations: translateCriDockerdFlags(words) });
  return found;
}

async function translatedFile(node: NodeFiles, file: string, translateText: (text: string) => Translation[]): Promise<TranslatedSource[]> {
  const text = await node.read(file);
  if (text === undefined) return [];
  try {
    return [{ name: file, translations: translateText(text) }];
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read', object: file, why: messageOf(cause), cause });
  }
}

async function rootsOf(node: NodeFiles, options: SurveyOptions): Promise<{ docker: string; containerd: string }> {
  const [daemonJson, containerd] = await Promise.all([node.read(options.daemonJson), node.read(options.containerdConfig)]);
  const docker = /"(?:data-root|graph)"\s*:\s*"([^"]+)"/.exec(daemonJson ?? '')?.[1];
  const root = /^root\s*=\s*["']([^"']+)["']/m.exec(containerd ?? '')?.[1];
  return { docker: docker ?? '/var/lib/docker', containerd: root ?? '/var/lib/containerd' };
}

function imagesOf(options: SurveyOptions, { source }: SurveyRecord, roots: { docker: string; containerd: string }): Survey['images'] {
  const from = source === 'containerd' || options.namespace !== undefined ? 'containerd' : 'docker';
  return { from, root: options.imageRoot ?? roots[from], namespace: options.namespace ?? 'k8s.io' };
}

/** Keys with dots as the tables of a TOML file. */
export function renderConfig(config: Config): string {
  const tree: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const names = key.split('.');
    let table = tree;
    for (const name of names.slice(0, -1)) table = (table[name] ??= {}) as Record<string, unknown>;
    table[names.at(-1)!] = value;
  }
  return `# Written by gantry migrate: what the runtime before was told. gantry migrate undo removes it.\n${stringify(tree)}\n`;
}

/** Where Gantry reads what was translated. */
export function dropInOf(configFile: string): string {
  return path.join(`${configFile}.d`, '50-migrated.toml');
}
