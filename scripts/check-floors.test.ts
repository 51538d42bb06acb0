import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { checkFloors } from './check-floors.ts';

const soundTree = {
  'src/base/tsconfig.json': '{ "references": [] }',
  'src/base/errors.ts': 'export const a = 1;\n',
  'src/host/tsconfig.json': '{ "references": [{ "path": "../base" }] }',
  'src/host/spawn.ts': "import { spawn } from 'node:child_process';\nimport { a } from '../base/errors.ts';\nexport const run = [spawn, a];\n",
  'src/part/oci/tsconfig.json': '{ "references": [{ "path": "../../host" }, { "path": "../../base" }] }',
  'src/part/oci/create.ts': "import { run } from '../../host/spawn.ts';\nexport const create = run;\n",
  'src/part/cni/tsconfig.json': '{ "references": [{ "path": "../../host" }, { "path": "../../base" }] }',
  'src/part/cni/add.ts': 'export const add = 1;\n',
};

/** The violations of the sound tree with these files added or replaced, as `file:line: message`. */
function violationsWith(files: Record<string, string>): string[] {
  const root = mkdtempSync(path.join(os.tmpdir(), 'gantry-floors-'));
  try {
    for (const [file, text] of Object.entries({ ...soundTree, ...files })) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    }
    return checkFloors(root).map(({ file, line, message }) => `${file}:${line}: ${message}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('a tree whose imports all go down is sound', () => {
  assert.deepEqual(violationsWith({}), []);
});

const plants: readonly { what: string; files: Record<string, string>; says: string }[] = [
  {
    what: 'an upward import, spread over lines',
    files: { 'src/host/mounts.ts': "// one\nimport {\n  create,\n} from '../part/oci/create.ts';\nexport const x = create;\n" },
    says: 'src/host/mounts.ts:4: host may not import part/oci',
  },
  {
    what: 'an upward import of a type',
    files: { 'src/base/log.ts': "import type { run } from '../host/spawn.ts';\nexport type X = typeof run;\n" },
    says: 'src/base/log.ts:1: base may not import host',
  },
  {
    what: 'a dynamic upward import',
    files: { 'src/base/log.ts': "export const later = () => import('../host/spawn.ts');\n" },
    says: 'src/base/log.ts:1: base may not import host',
  },
  {
    what: 'a worker file of a neighbour',
    files: { 'src/part/cni/worker.ts': "export const url = new URL('../oci/create.ts', import.meta.url);\n" },
    says: 'src/part/cni/worker.ts:1: part/cni may not import part/oci: what two parts need lives in base/ or host/, what combines them in native/',
  },
  {
    what: 'a part that imports a part',
    files: { 'src/part/cni/add.ts': "export { create } from '../oci/create.ts';\n" },
    says: 'src/part/cni/add.ts:1: part/cni may not import part/oci: what two parts need lives in base/ or host/, what combines them in native/',
  },
  {
    what: 'a child process outside host',
    files: { 'src/part/cni/add.ts': "import { spawn } from 'child_process';\nexport const add = spawn;\n" },
    says: 'src/part/cni/add.ts:1: part/cni may not import child_process: programs are started by host/spawn.ts only',
  },
  {
    what: 'the FFI outside host',
    files: { 'src/part/cni/add.ts': "import koffi from 'koffi';\nexport const add = koffi;\n" },
    says: 'src/part/cni/add.ts:1: part/cni may not import koffi: the FFI stays in host/',
  },
  {
    what: 'a circle of imports',
    files: {
      'src/part/cni/add.ts': "import { b } from './b.ts';\nexport const add = b;\n",
      'src/part/cni/b.ts': "\nimport { add } from './add.ts';\nexport const b = add;\n",
    },
    says: 'src/part/cni/b.ts:2: imports in a circle: src/part/cni/add.ts → src/part/cni/b.ts → src/part/cni/add.ts',
  },
  {
    what: 'a default export',
    files: { 'src/part/cni/add.ts': '\nexport default 1;\n' },
    says: 'src/part/cni/add.ts:2: no default exports: give it its name',
  },
  {
    what: 'a folder named utils',
    files: { 'src/part/cni/utils/add.ts': 'export const add = 1;\n' },
    says: 'src/part/cni/utils/add.ts:1: utils says nothing: name it after what it holds',
  },
  {
    what: 'a folder that is no floor',
    files: { 'src/attic/old.ts': 'export const old = 1;\n' },
    says: 'src/attic/old.ts:1: src/attic is no floor: see docs/architecture.md',
  },
  {
    what: 'a source that imports test support',
    files: { 'src/part/cni/add.ts': "import { x } from '../../../test/support/x.ts';\nexport const add = x;\n" },
    says: 'src/part/cni/add.ts:1: src/ imports nothing from outside src/ (test/support/x.ts)',
  },
  {
    what: 'a tsconfig that references a neighbour',
    files: { 'src/part/cni/tsconfig.json': '{ "references": [{ "path": "../../host" }, { "path": "../../base" }, { "path": "../oci" }] }' },
    says: 'src/part/cni/tsconfig.json:1: references must not have part/oci',
  },
  {
    what: 'a tsconfig that forgot a floor',
    files: { 'src/part/cni/tsconfig.json': '{ "references": [{ "path": "../../host" }] }' },
    says: 'src/part/cni/tsconfig.json:1: references lack base',
  },
];

for (const { what, files, says } of plants) {
  test(`${what} is caught, with its place`, () => {
    assert.deepEqual(violationsWith(files), [says]);
  });
}

test('what only looks like an import is none: comments, texts, templates, regular expressions', () => {
  const text = [
    "// import { run } from '../../host/spawn.ts';",
    "/* import 'koffi'; */",
    'export const t = `',
    "import koffi from 'koffi';",
    '`;',
    "export const r = /['\"`]/.test('//');",
    "export const s = \"import('koffi')\";",
    '',
  ].join('\n');

  const found = violationsWith({ 'src/part/cni/add.ts': text });

  assert.deepEqual(found, []);
});

test("two files may know each other's types", () => {
  const files = {
    'src/part/cni/add.ts': "import { b } from './b.ts';\nexport const add = b;\n",
    'src/part/cni/b.ts': "import type { add } from './add.ts';\nexport const b = 1 as unknown as typeof add;\n",
  };

  assert.deepEqual(violationsWith(files), []);
});

test('a test may import test support and start programs', () => {
  const text = "import { spawn } from 'node:child_process';\nimport { x } from '../../../test/support/x.ts';\nexport const y = [spawn, x];\n";

  assert.deepEqual(violationsWith({ 'src/part/cni/add.test.ts': text }), []);
});
