/** `npm run help`: every npm script in one sentence. A script without a sentence, or a sentence without a script, fails the unit tests. */
import { readFileSync } from 'node:fs';

export const sentences: Readonly<Record<string, string>> = {
  help: 'lists these commands',
  setup: 'installs what is missing on this machine and in this folder (apt, npm), and compiles; quick when nothing is missing',
  demo: 'runs a pod with two containers from an image it makes and pulls, shows what happened, and removes everything',
  test: 'runs every test that this machine can run, and checks that none leaves anything behind (root)',
  ok: 'the quick gate, under a minute and without root: types, lint, floors, RPC list, wire, unit tests',
  unit: 'unit tests only: no root, no network',
  root: 'tests of single parts with real mounts, namespaces, cgroups and OCI runtimes (root)',
  node: 'tests of the whole daemon through its socket (root)',
  vm: 'tests in a virtual machine with cgroup v2 and systemd, which it builds on the first run (root)',
  fault: 'kills the daemon at every fault point and lets each point fail; with `-- --report` all figures of docs/faults.md (root)',
  soak: 'lives many pods on a daemon that chance kills and disturbs, for `-- --minutes N` (root)',
  types: 'checks the types of everything, tests and scripts too',
  lint: 'lints everything',
  floors: 'checks that every import goes down the floors of docs/architecture.md',
  rpcs: 'checks that every RPC is served, each by a file of its own',
  wire: 'compares our CRI messages with what Kubernetes published, release by release',
  docs: 'writes the generated reference pages in docs/',
  messages: 'writes src/gen/cri.ts and admin.ts from their proto files',
  build: 'compiles src/ to dist/',
  bench: 'compares pod start, exec, lists and memory with containerd and with the bare floor, side by side (root)',
  'bench:streams': 'compares exec and port-forward with containerd, side by side (root)',
  'bench:pull': 'compares pulls with containerd and with a plain download, side by side (root)',
};

/** The lines of the help, in the order of package.json. */
export function helpLines(scripts: readonly string[]): string[] {
  const width = Math.max(...scripts.map((name) => name.length));
  return scripts.map((name) => `  npm run ${name.padEnd(width)}  ${sentences[name] ?? '(no sentence in scripts/help.ts)'}`);
}

export function npmScripts(): string[] {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { scripts: Record<string, string> };
  return Object.keys(manifest.scripts);
}

if (import.meta.main) console.log(helpLines(npmScripts()).join('\n'));
