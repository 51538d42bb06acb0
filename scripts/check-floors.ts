/**
 * `npm run floors`: holds src/ to the floors of docs/architecture.md. A file imports from floors below its own only; parts
 * never import each other; child processes and the FFI stay in host/, gRPC in face/; files import in no circle. Also the
 * house's names: no default exports, no `utils`, kebab-case files. The tsconfig references must say the same as the table.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { importsOf, blankComments, lineAt, type SourceImport } from './source-imports.ts';

export interface Violation {
  /** Relative to the root. */
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Floor (folder of src/) to the floors it may import; `part` stands for every part. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  gen: [],
  host: ['base'],
  part: ['host', 'base', 'gen'],
  engine: ['base', 'gen'],
  docker: ['part', 'engine', 'host', 'base', 'gen'],
  migrate: ['host', 'base', 'gen'],
  'native/image': ['part', 'engine', 'host', 'base', 'gen'],
  'native/container': ['native/image', 'part', 'engine', 'host', 'base', 'gen'],
  'native/pod': ['native/container', 'native/image', 'part', 'engine', 'host', 'base', 'gen'],
  'native/node': ['part', 'engine', 'host', 'base', 'gen'],
  'face/grpc': ['engine', 'base', 'gen'],
  'face/spdy': ['base'],
  'face/streaming': ['face/spdy', 'engine', 'base', 'gen'],
  'face/cri': ['face/grpc', 'face/streaming', 'engine', 'base', 'gen'],
  'face/admin': ['face/grpc', 'engine', 'base', 'gen'],
  'face/logs': ['base'],
  'face/docker': ['face/grpc', 'face/logs', 'engine', 'base', 'gen'],
  'face/cli': ['face/spdy', 'face/logs', 'migrate', 'engine', 'base', 'gen'],
  'face/console': ['engine', 'base', 'gen'],
};

/** Floors that take the generated messages as types only: no encoder and no enum value of theirs is run there. */
const typesOfGenOnly = ['engine'];

/** Modules from outside that only some floors may import. Tests may: they check by other means than what they test. */
const reserved: readonly { module: RegExp; floors: readonly string[]; why: string }[] = [
  { module: /^(node:)?child_process$/, floors: ['host'], why: 'programs are started by host/spawn.ts only' },
  { module: /^koffi$/, floors: ['host'], why: 'the FFI stays in host/' },
  { module: /^@grpc\//, floors: ['face/', 'gen', 'main'], why: 'gRPC stays in face/' },
  { module: /^undici$/, floors: ['docker'], why: 'the Docker Engine is asked in docker/ only' },
  { module: /^@bufbuild\//, floors: ['gen', 'face/'], why: 'encoding stays in gen/ and face/' },
];

const forbiddenFolders = ['utils', 'util', 'helpers', 'common', 'shared', 'misc', 'lib', 'manager'];
const fileName = /^[a-z0-9]+(-[a-z0-9]+)*(\.(root\.test|test|suite|fake|d))?\.ts$/;

/** Every violation under `root`/src, by file and line. */
export function checkFloors(root: string): Violation[] {
  const files = sourceFiles(root);
  const imports = new Map(files.map((file) => [file, importsOf(readFileSync(path.join(root, file), 'utf8'))]));
  return [
    ...files.flatMap((file) => [...nameViolations(root, file), ...imports.get(file)!.flatMap((one) => importViolations(file, one))]),
    ...circles(imports),
    ...referenceViolations(root, files),
  ].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

function sourceFiles(root: string): string[] {
  return readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.join('src', file))
    .sort();
}

/** The floor of a file of src/: `part/oci`, `native/pod`, `base`; undefined when its folder is no floor. */
function floorOf(file: string): string | undefined {
  const [, first = '', second = '', third] = file.split('/');
  if (first === 'main' || mayImport[first]) return first === 'part' ? (third === undefined ? undefined : `part/${second}`) : first;
  return mayImport[`${first}/${second}`] ? `${first}/${second}` : undefined;
}

const isTest = (file: string): boolean => /\.(test|suite|fake)\.ts$/.test(file);

function allows(from: string, to: string): boolean {
  if (from === to || from === 'main') return true;
  const allowed = mayImport[from.startsWith('part/') ? 'part' : from] ?? [];
  return allowed.includes(to.startsWith('part/') ? 'part' : to);
}

function nameViolations(root: string, file: string): Violation[] {
  const found: Violation[] = [];
  const report = (line: number, message: string): void => void found.push({ file, line, message });
  const forbidden = file.split('/').find((segment) => forbiddenFolders.includes(segment.replace(/\.ts$/, '')));
  if (forbidden !== undefined) report(1, `${forbidden} says nothing: name it after what it holds`);
  if (floorOf(file) === undefined) report(1, `${path.dirname(file)} is no floor: see docs/architecture.md`);
  if (!fileName.test(path.basename(file))) report(1, 'file names are kebab-case, after their main export');
  if (path.basename(file) === 'index.ts') report(1, 'no barrel files: import from the file that has the thing');
  const code = blankComments(readFileSync(path.join(root, file), 'utf8'));
  for (const match of code.matchAll(/(?<=^|\n)[ \t]*export\s+default\b|\bas\s+default\s*[,}]/g)) {
    report(lineAt(code, match.index + match[0].length), 'no default exports: give it its name');
  }
  return found;
}

function importViolations(file: string, one: SourceImport): Violation[] {
  const message = one.specifier.startsWith('.') ? objectionInside(file, one) : objectionOutside(file, one);
  return message === undefined ? [] : [{ file, line: one.line, message }];
}

function objectionInside(file: string, one: SourceImport): string | undefined {
  const target = targetOf(file, one);
  if (!target.startsWith('src/')) {
    if (isTest(file) && (target.startsWith('test/') || !target.endsWith('.ts'))) return undefined;
    return target.endsWith('.ts') ? `src/ imports nothing from outside src/ (${target})` : undefined;
  }
  const [from, to] = [floorOf(file), floorOf(target)];
  if (from === undefined || to === undefined) return undefined; // reported by its name
  if (isTest(target) && !isTest(file)) return `${target} is for tests only`;
  if (!allows(from, to)) return `${from} may not import ${to}${remedy(from, to)}`;
  if (to === 'gen' && from !== to && !one.typeOnly && typesOfGenOnly.includes(from) && !isTest(file)) return `${from} takes types only from gen: import type`;
  const service = one.names.find((name) => /Service(Service|Server|Client)$/.test(name));
  if (to === 'gen' && service !== undefined && !from.startsWith('face/') && from !== 'main' && !isTest(file)) return `${service} is gRPC, and gRPC stays in face/`;
  return undefined;
}

function remedy(from: string, to: string): string {
  if (from.startsWith('part/') && to.startsWith('part/')) return ': what two parts need lives in base/ or host/, what combines them in native/';
  return '';
}

function objectionOutside(file: string, one: SourceImport): string | undefined {
  if (isTest(file)) return undefined;
  const floor = floorOf(file) ?? '';
  const rule = reserved.find(({ module }) => module.test(one.specifier));
  if (!rule || rule.floors.some((allowed) => floor === allowed || (allowed.endsWith('/') && floor.startsWith(allowed)))) return undefined;
  return `${floor} may not import ${one.specifier}: ${rule.why}`;
}

function targetOf(file: string, one: SourceImport): string {
  return path.join(path.dirname(file), one.specifier);
}

/** One violation for each circle of imports that run, at the import that closes it. Types vanish: they may know each other. */
function circles(imports: ReadonlyMap<string, readonly SourceImport[]>): Violation[] {
  const found: Violation[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, trail: readonly string[]): void => {
    state.set(file, 'open');
    for (const one of imports.get(file) ?? []) {
      const target = one.specifier.startsWith('.') ? targetOf(file, one) : '';
      if (one.typeOnly || !imports.has(target) || target === file) continue;
      if (state.get(target) === 'open') found.push({ file, line: one.line, message: circleText([...trail, file], target) });
      else if (!state.has(target)) visit(target, [...trail, file]);
    }
    state.set(file, 'done');
  };
  for (const file of imports.keys()) if (!state.has(file)) visit(file, []);
  return found;
}

function circleText(trail: readonly string[], target: string): string {
  return `imports in a circle: ${[...trail.slice(trail.indexOf(target)), target].join(' → ')}`;
}

/** Each floor's tsconfig.json references exactly the floors it may import, as far as they exist. */
function referenceViolations(root: string, files: readonly string[]): Violation[] {
  const floors = [...new Set(files.map(floorOf))].filter((floor): floor is string => floor !== undefined);
  return floors.flatMap((floor) => {
    const file = `src/${floor}/tsconfig.json`;
    if (!existsSync(path.join(root, file))) return [{ file, line: 1, message: 'a floor needs a tsconfig.json that references the floors below it' }];
    const { references = [] } = JSON.parse(readFileSync(path.join(root, file), 'utf8')) as { references?: { path: string }[] };
    const has = references.map((reference) => path.join(floor, reference.path));
    const wanted = floors.filter((other) => other !== floor && allows(floor, other));
    const message = (verb: string, names: readonly string[]): Violation[] =>
      names.length === 0 ? [] : [{ file, line: 1, message: `references ${verb} ${names.join(', ')}` }];
    return [
      ...message('lack', wanted.filter((other) => !has.includes(other))),
      ...message('must not have', has.filter((other) => !allows(floor, other) || other === floor)),
    ];
  });
}

if (import.meta.main) {
  const violations = checkFloors(path.join(import.meta.dirname, '..'));
  for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
