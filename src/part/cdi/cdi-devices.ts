/** The devices that the CDI spec files of this node describe. */
import { failure } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { ParsedFiles } from '../../host/parsed-files.ts';
import type { ParsedFile } from '../../host/parsed-files.ts';
import type { CdiEdits, CdiSpec } from './cdi-spec.ts';
import { completeEdits } from './complete-edits.ts';
import type { ContainerEdits } from '../../base/container-edits.ts';
import { decodeCdiFile } from './decode-cdi-file.ts';
import { parseDeviceName } from './device-name.ts';
import type { RequestedDevice } from './requested-devices.ts';

export interface CdiReport {
  readonly folders: readonly string[];
  readonly devices: readonly string[];
  /** Broken files, and devices that several files claim. */
  readonly problems: readonly { readonly path: string; readonly problem: string }[];
}

interface DescribedDevice {
  readonly file: string;
  readonly spec: CdiSpec;
  readonly edits: CdiEdits;
}

/** Usable, or claimed by several files of one folder. */
type Entry = { readonly device: DescribedDevice } | { readonly claimedBy: readonly string[] };

export class CdiDevices {
  readonly #folders: () => readonly string[];
  readonly #files: ParsedFiles<CdiSpec>;

  /** `folders`: the configured ones, now; a device in a later one overrides the same in an earlier one. */
  constructor({ folders, log }: { folders: () => readonly string[]; log: Logger }) {
    this.#folders = folders;
    this.#files = new ParsedFiles({ what: 'CDI spec', suffixes: ['.json', '.yaml'], parse: decodeCdiFile, log });
  }

  /**
   * What these devices change in a container, in their order: before the first device of a file what the file says for all of them. Nothing is
   * read when nothing is asked for.
   *
   * Errors: failed-precondition for a device that no file describes or several claim (naming the files), and where the host lacks what it needs;
   * deadline-exceeded.
   */
  async edits(requested: readonly RequestedDevice[]): Promise<ContainerEdits[]> {
    if (requested.length === 0) return [];
    const folders = this.#folders();
    const files = await this.#files.read(folders);
    const entries = index(files);
    const found = requested.map(({ name }) => ({ name, ...usable(entries.get(name), { name, folders, files }) }));
    const applied = new Set<CdiSpec>();
    const inOrder = found.flatMap(({ name, file, spec, edits }) => {
      const first = !applied.has(spec);
      applied.add(spec);
      return [...(first ? [spec.edits] : []), edits].map((wanted) => ({ wanted, origin: { device: name, file } }));
    });
    return await Promise.all(inOrder.map(({ wanted, origin }) => completeEdits(wanted, origin)));
  }

  /** For the verbose status. Errors: deadline-exceeded. */
  async report(): Promise<CdiReport> {
    const folders = this.#folders();
    const files = await this.#files.read(folders);
    const entries = [...index(files)].sort(([one], [other]) => (one < other ? -1 : 1));
    const broken = files.flatMap(({ path, problem }) => (problem === undefined ? [] : [{ path, problem }]));
    const claimed = entries.flatMap(([name, entry]) => ('device' in entry ? [] : entry.claimedBy.map((path) => ({ path, problem: `${name} is in ${entry.claimedBy.length} files of equal rank` }))));
    return { folders, devices: entries.filter(([, entry]) => 'device' in entry).map(([name]) => name), problems: [...broken, ...claimed] };
  }
}

/** By fully qualified name. The files come folder by folder, the higher in rank later. */
function index(files: readonly ParsedFile<CdiSpec>[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, { folder: number; devices: DescribedDevice[] }>();
  for (const { path, folder, content: spec } of files) {
    for (const [name, edits] of spec?.devices ?? []) {
      const qualified = `${spec!.kind}=${name}`;
      const others = entries.get(qualified);
      const device = { file: path, spec: spec!, edits };
      entries.set(qualified, { folder, devices: others?.folder === folder ? [...others.devices, device] : [device] });
    }
  }
  return new Map([...entries].map(([name, { devices }]): [string, Entry] => [name, devices.length === 1 ? { device: devices[0]! } : { claimedBy: devices.map(({ file }) => file) }]));
}

interface Search {
  readonly name: string;
  readonly folders: readonly string[];
  readonly files: readonly ParsedFile<CdiSpec>[];
}

function usable(entry: Entry | undefined, search: Search): DescribedDevice {
  if (entry !== undefined && 'device' in entry) return entry.device;
  const why = entry === undefined
    ? notFound(search)
    : `${entry.claimedBy.join(' and ')} both describe it: take it out of one of them`;
  throw failure('failed-precondition', { act: 'inject CDI device', object: search.name, why });
}

function notFound({ name, folders, files }: Search): string {
  const { kind } = parseDeviceName(name)!;
  const ofKind = files.filter((file) => file.content?.kind === kind);
  const siblings = ofKind.flatMap((file) => [...file.content!.devices.keys()]);
  const broken = files.filter((file) => file.problem !== undefined).map(({ path, problem }) => `${path} is left out: ${problem}`);
  const looked = files.length === 0 ? `there is no CDI spec file in ${folders.join(' or ') || 'any folder, as none is configured'}` : `looked in ${files.map(({ path }) => path).join(', ')}`;
  return [
    ofKind.length === 0 ? `no file describes devices of ${kind}` : `${ofKind.map(({ path }) => path).join(' and ')} has of this kind only ${some(siblings)}`,
    looked,
    ...broken,
  ].join('; ');
}

function some(names: readonly string[]): string {
  return names.length <= 10 ? names.join(', ') : `${names.slice(0, 10).join(', ')} and ${names.length - 10} more`;
}
