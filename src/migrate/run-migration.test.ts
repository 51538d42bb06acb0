/** A whole migration on the files of a made-up node: to its end, interrupted at every moment, resumed, and undone. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AdoptionOutcome } from '../gen/admin.ts';
import type { AdoptedImage } from '../gen/admin.ts';
import { Journal } from './journal.ts';
import type { Migration } from './migration.ts';
import { NodeFiles } from './node-files.ts';
import type { Outside } from './outside.ts';
import { planMigration, runMigration, steps, undoMigration } from './run-migration.ts';
import { survey } from './survey.ts';
import { verifyMigration } from './verify-migration.ts';

const endpoint = 'unix:///run/gantry/gantry.sock';
const files = {
  '/var/lib/kubelet/config.yaml': '# by kubeadm\ncgroupDriver: systemd\n',
  '/var/lib/kubelet/kubeadm-flags.env': 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/cri-dockerd.sock --v=2"\n',
  '/etc/docker/daemon.json': '{"exec-opts": ["native.cgroupdriver=systemd"], "log-driver": "journald"}',
};
const options = { source: undefined, daemonJson: '/etc/docker/daemon.json', containerdConfig: '/etc/containerd/config.toml', kubeletConfig: undefined, kubeletFlags: undefined, imageRoot: undefined, namespace: undefined };

class Interrupted extends Error {}

/** A node with its world: what runs, what was adopted. Every act counts down to an interruption. */
class MadeUpNode {
  readonly root: string;
  kubeletRuns = true;
  kubeletWords = ['--v=2'];
  failsToStop = false;
  gantryRuns = false;
  oldPods = ['default/web'];
  newPods: string[] = [];
  images = ['web:1'];
  readonly said: string[] = [];
  readonly stopping = new AbortController();
  /** So many acts are done; undefined: all. */
  patience: number | undefined;

  constructor(t: TestContext) {
    this.root = mkdtempSync(path.join(tmpdir(), 'gantry-migrated-'));
    t.after(() => rmSync(this.root, { recursive: true }));
    for (const [file, text] of Object.entries(files)) this.write(file, text);
    chmodSync(this.at('/var/lib/kubelet/kubeadm-flags.env'), 0o640);
  }

  at(file: string): string {
    return path.join(this.root, file);
  }

  write(file: string, text: string): void {
    mkdirSync(path.dirname(this.at(file)), { recursive: true });
    writeFileSync(this.at(file), text);
  }

  read(file: string): string {
    return readFileSync(this.at(file), 'utf8');
  }

  /** All files but the journal's. */
  snapshot(): Record<string, string> {
    const names = readdirSync(this.root, { recursive: true, encoding: 'utf8' }).filter((name) => !name.includes('migration') && statSync(this.at(name)).isFile());
    return Object.fromEntries(names.sort().map((name) => [name, `${(statSync(this.at(name)).mode & 0o777).toString(8)} ${this.read(name)}`]));
  }

  act(): void {
    if (this.patience !== undefined && this.patience-- <= 0) throw new Interrupted('pulled the plug');
  }

  get outside(): Outside {
    const changing = (change: () => void) => async (): Promise<void> => {
      this.act();
      change();
      this.act();
    };
    const units = new Map([['kubelet.service', { start: () => (this.kubeletRuns = true), stop: () => (this.kubeletRuns = false) }], ['gantry.service', { start: () => (this.gantryRuns = true), stop: () => {} }]]);
    return {
      units: {
        has: async (unit) => units.has(unit),
        stop: async (unit) => await changing(() => units.get(unit)!.stop())(),
        start: async (unit) => await changing(() => units.get(unit)!.start())(),
        restart: async (unit) => await changing(() => units.get(unit)!.start())(),
      },
      programs: async (name) => (name === 'kubelet' && this.kubeletRuns ? [{ pid: 1, words: this.kubeletWords }] : []),
      kubeletMinor: async () => 28,
      gantry: {
        socket: '/run/gantry/gantry.sock',
        answers: async () => this.gantryRuns,
        complaints: async () => [],
        cgroupDriver: async () => 'systemd',
        adopt: (source) => this.#adopt(source.dryRun),
        pods: async () => this.newPods.map((name) => ({ id: name, uid: name, name })),
        removePod: async (id) => await changing(() => (this.newPods = this.newPods.filter((pod) => pod !== id)))(),
      },
      oldRuntime: (at) => {
        assert.equal(at, 'unix:///run/cri-dockerd.sock');
        return { pods: async () => this.oldPods.map((name) => ({ id: name, uid: name, name })), stopPod: async (id) => {
          if (this.failsToStop) throw new Error('it hangs');
          await changing(() => (this.oldPods = this.oldPods.filter((pod) => pod !== id)))();
        }, strangers: async () => ['registry'] };
      },
      signal: this.stopping.signal,
      say: async (line) => void this.said.push(line),
    };
  }

  /** As after a new start of the command. */
  async migration(): Promise<Migration> {
    const node = new NodeFiles(this.root);
    const journal = new Journal(this.at('/etc/gantry/migration'));
    const add = journal.add.bind(journal);
    journal.add = (entry) => {
      this.act();
      add(entry);
      this.act();
    };
    const { outside } = this;
    return { node, journal, outside, survey: await survey({ node, outside, options, known: journal.survey }), configFile: '/etc/gantry/config.toml' };
  }

  async *#adopt(dryRun: boolean): AsyncGenerator<AdoptedImage> {
    if (!dryRun) this.act();
    const left = this.images;
    if (!dryRun) this.images = [];
    for (const name of left) yield { id: 'i', names: [name], outcome: dryRun ? AdoptionOutcome.ADOPTION_PLANNED : AdoptionOutcome.ADOPTION_DONE, why: '', layers: 1, newLayers: 1, bytes: 1n, linkedBytes: 1n, total: 1 };
  }
}

async function interrupted(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (String(error instanceof Error ? error.stack : error).includes('pulled the plug')) return true;
    throw error;
  }
}

test('a plan says all that would be done, and changes nothing', async (t) => {
  const node = new MadeUpNode(t);
  const before = node.snapshot();

  const plan = await planMigration(await node.migration());

  assert.deepEqual(plan.map(({ step }) => step), ['configuration', 'daemon', 'images', 'kubelet-stop', 'pods', 'kubelet-files', 'kubelet-start']);
  const text = plan.flatMap(({ lines }) => lines).join('\n');
  assert.match(text, /write \/etc\/gantry\/config\.toml\.d\/50-migrated\.toml\n.*\n {2}\+ \[cgroup\]\n {2}\+ driver = "systemd"/);
  assert.match(text, /adopt the images of \/var\/lib\/docker/);
  assert.match(text, /stop these pods \(1; after a drain there are none\): default\/web\nleave these containers running \(1; they are no pod's\), and keep the old runtime for them: registry/);
  assert.match(text, new RegExp(`change /var/lib/kubelet/kubeadm-flags.env\n  - .*cri-dockerd.*\n  \\+ KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${endpoint} --v=2"`));
  assert.deepEqual([node.snapshot(), readdirSync(node.at('/etc'))], [before, ['docker']]);
});

test('a migration interrupted at any moment is finished by running it again', async (t) => {
  for (let moment = 0, isWhole = false; !isWhole; moment++) {
    const node = new MadeUpNode(t);
    node.patience = moment;
    isWhole = !(await interrupted(async () => await runMigration(await node.migration())));
    node.patience = undefined;

    await runMigration(await node.migration());

    assert.deepEqual([node.kubeletRuns, node.gantryRuns, node.oldPods, node.images], [true, true, [], []], `at ${moment}`);
    assert.equal(node.read('/var/lib/kubelet/kubeadm-flags.env'), `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${endpoint} --v=2"\n`);
    assert.deepEqual((statSync(node.at('/var/lib/kubelet/kubeadm-flags.env')).mode & 0o777).toString(8), '640');
    assert.match(node.read('/etc/gantry/config.toml.d/50-migrated.toml'), /driver = "systemd"/);
    assert.deepEqual(await planMigration(await node.migration()), []);
    assert.ok(moment < 200);
  }
});

test('a migration interrupted at any moment is undone, and so is an undoing that was interrupted', async (t) => {
  for (let moment = 0, isWhole = false; !isWhole; moment++) {
    for (const second of [moment % 17, undefined]) {
      const node = new MadeUpNode(t);
      const before = node.snapshot();
      node.patience = moment;
      isWhole = !(await interrupted(async () => await runMigration(await node.migration())));
      node.patience = undefined;
      if (node.kubeletRuns && (await node.migration()).journal.stateOf('kubelet-start') !== 'untouched') node.newPods = ['default/web'];
      const isBegun = (await node.migration()).journal.entries.length > 0;

      node.patience = second;
      const halfWay = isBegun && (await interrupted(async () => await undoMigration(await node.migration())));
      node.patience = undefined;
      if (halfWay) await finishUndoing(node);

      assert.deepEqual(node.snapshot(), before, `at ${moment}, then ${second}`);
      assert.deepEqual([node.kubeletRuns, node.newPods], [true, []], `at ${moment}, then ${second}`);
      assert.deepEqual((await node.migration()).journal.entries, []);
    }
  }
});

/** What is half undone can only be undone, unless it was before the first line or behind the last. */
async function finishUndoing(node: MadeUpNode): Promise<void> {
  const { journal } = await node.migration();
  if (journal.entries.length === 0) return;
  if (journal.entries.some(({ event }) => event === 'undone')) await assert.rejects(runMigration(await node.migration()), { kind: 'failed-precondition', message: 'migrate: it is being undone: finish that with gantry migrate undo' });
  await undoMigration(await node.migration());
}

test('a file that somebody changed since is left alone, and the way out is told', async (t) => {
  const node = new MadeUpNode(t);
  await runMigration(await node.migration());
  node.write('/var/lib/kubelet/kubeadm-flags.env', 'KUBELET_KUBEADM_ARGS="mine"\n');

  await assert.rejects(undoMigration(await node.migration()), {
    kind: 'failed-precondition',
    message: /^undo the migration, step kubelet-files: restore \/var\/lib\/kubelet\/kubeadm-flags\.env: somebody has changed it since: compare it with .*\/etc\/gantry\/migration\/\d+-kubeadm-flags\.env and put that in its place by hand, then undo again$/,
  });
  assert.equal(node.read('/var/lib/kubelet/kubeadm-flags.env'), 'KUBELET_KUBEADM_ARGS="mine"\n');
  node.write('/var/lib/kubelet/kubeadm-flags.env', files['/var/lib/kubelet/kubeadm-flags.env']);
  await undoMigration(await node.migration());
});

test('what cannot go on says what to do, and keeps what was done', async (t) => {
  const node = new MadeUpNode(t);
  const { outside } = node;
  const withoutDaemon: Migration = { ...(await node.migration()), outside: { ...outside, units: undefined } };

  await assert.rejects(runMigration(withoutDaemon), { kind: 'failed-precondition', message: 'migrate, step daemon: reach the daemon /run/gantry/gantry.sock: nobody answers there: start it with gantry serve, then run this again' });
  node.gantryRuns = true;
  const other: Migration = { ...(await node.migration()), outside: { ...outside, units: undefined, gantry: { ...outside.gantry, cgroupDriver: async () => 'cgroupfs' } } };
  await assert.rejects(runMigration(other), { message: /check the cgroup driver: the kubelet uses systemd, the daemon cgroupfs: restart the daemon/ });
  const withoutUnits: Migration = { ...(await node.migration()), outside: { ...outside, units: undefined } };
  await assert.rejects(runMigration(withoutUnits), { message: 'migrate, step kubelet-stop: stop the kubelet: it runs, and systemd does not know it here: stop it, then run this again' });
  node.kubeletRuns = false;
  await runMigration({ ...(await node.migration()), outside: { ...outside, units: undefined } });
  assert.ok(node.said.includes('  start the kubelet now: systemd does not know it here'));
  assert.deepEqual(steps.filter(({ name }) => new Journal(node.at('/etc/gantry/migration')).stateOf(name) !== 'done'), []);
});

test('a node that has left, and one that never began, say so', async (t) => {
  const node = new MadeUpNode(t);
  await assert.rejects(undoMigration(await node.migration()), { kind: 'failed-precondition', message: /nothing was begun, or it was undone: there is no journal/ });
  node.write('/var/lib/kubelet/kubeadm-flags.env', `A="--container-runtime-endpoint=${endpoint}"`);
  await assert.rejects(node.migration(), { kind: 'failed-precondition', message: "migrate: this node's kubelet talks to Gantry at /run/gantry/gantry.sock already" });
  node.write('/var/lib/kubelet/kubeadm-flags.env', 'A="--container-runtime-endpoint=unix:///run/crio/crio.sock"');
  await assert.rejects(node.migration(), { message: /migrate unix:\/\/\/run\/crio\/crio\.sock: the kubelet talks to a runtime that is not known here: name what it is like with --from/ });
});

test('a journal that is damaged stops everything, but for a last line that a crash cut off', async (t) => {
  const node = new MadeUpNode(t);
  await runMigration(await node.migration());
  const file = '/etc/gantry/migration/journal.jsonl';
  const text = node.read(file);
  node.write(file, `${text}{"event":"beg`);
  assert.equal(new Journal(node.at('/etc/gantry/migration')).stateOf('kubelet-start'), 'done');
  node.write(file, `nonsense\n${text}`);
  assert.throws(() => new Journal(node.at('/etc/gantry/migration')), { kind: 'failed-precondition', message: /line 1 is damaged: mend it or put the file aside/ });
});

test('what a crash left of a line is not in the way of the next one', async (t) => {
  const node = new MadeUpNode(t);
  node.patience = 9;
  await interrupted(async () => await runMigration(await node.migration()));
  node.patience = undefined;
  const file = '/etc/gantry/migration/journal.jsonl';
  node.write(file, `${node.read(file)}{"event":"beg`);

  await runMigration(await node.migration());

  assert.deepEqual(await planMigration(await node.migration()), []);
  assert.doesNotMatch(node.read(file), /beg\{/);
});

test('two at a time are one too many', async (t) => {
  const node = new MadeUpNode(t);
  const [first, second] = [await node.migration(), await node.migration()];
  {
    using _held = first.journal.lock();
    await assert.rejects(runMigration(second), { kind: 'failed-precondition', message: /lock the journal of the migration .*: another gantry migrate is at work: wait for it to end/ });
  }
  await runMigration(first);
  await assert.rejects(runMigration(second), { kind: 'failed-precondition', message: /another gantry migrate has gone on with it in this moment: run this again/ });
});

test('whoever stops it gets to know the way on and the way back', async (t) => {
  const node = new MadeUpNode(t);
  node.stopping.abort();

  await assert.rejects(runMigration(await node.migration()), { kind: 'cancelled', message: 'migrate: you stopped it: gantry migrate run goes on from here, gantry migrate undo goes back' });
  assert.deepEqual([node.kubeletRuns, node.oldPods], [true, ['default/web']]);
});

test('what the kubelet was started with is known when it stands still', async (t) => {
  const node = new MadeUpNode(t);
  node.write('/srv/kubelet.yaml', 'cgroupDriver: systemd\ncontainerRuntimeEndpoint: unix:///run/cri-dockerd.sock\n');
  node.write('/var/lib/kubelet/kubeadm-flags.env', '');
  node.kubeletWords = ['--config=/srv/kubelet.yaml'];
  node.failsToStop = true;
  await assert.rejects(runMigration(await node.migration()), /step pods: stop pod default\/web: it hangs/);
  assert.equal(node.kubeletRuns, false);
  node.failsToStop = false;

  await runMigration(await node.migration());

  assert.match(node.read('/srv/kubelet.yaml'), new RegExp(`containerRuntimeEndpoint: ${endpoint}`));
});

test('a kubelet whose files cannot be changed goes on running', async (t) => {
  const node = new MadeUpNode(t);
  node.write('/var/lib/kubelet/kubeadm-flags.env', '');
  node.kubeletWords = ['--container-runtime-endpoint=unix:///run/cri-dockerd.sock'];

  await assert.rejects(runMigration(await node.migration()), { kind: 'failed-precondition', message: /none of the usual files says so/ });

  assert.deepEqual([node.kubeletRuns, node.gantryRuns, node.oldPods], [true, false, ['default/web']]);
});

test('a kubelet that is told nothing talks to Docker before 1.24, and to containerd from then on', async (t) => {
  const node = new MadeUpNode(t);
  node.write('/var/lib/kubelet/kubeadm-flags.env', '');

  const records = await Promise.all([23, 24].map(async (minor) => (await survey({ node: new NodeFiles(node.root), outside: { ...node.outside, kubeletMinor: async () => minor }, options, known: undefined })).record));

  assert.deepEqual(records.map(({ source, endpoint: at }) => [source, at]), [['docker', undefined], ['containerd', 'unix:///run/containerd/containerd.sock']]);
});

test('verification asks the node, and names what is not as it should be', async (t) => {
  const node = new MadeUpNode(t);
  const faultsOf = async (): Promise<string[]> => (await verifyMigration(await node.migration())).filter(({ name }) => name !== 'nobody uses docker.sock').flatMap(({ faults }) => faults);

  assert.deepEqual((await faultsOf()).sort(), [
    '/var/lib/kubelet/kubeadm-flags.env is not as it should be', 'default/web does',
    ...Array.from({ length: 3 }, () => 'nobody answers at /run/gantry/gantry.sock'),
  ]);
  await runMigration(await node.migration());
  assert.deepEqual(await faultsOf(), []);
  node.images = ['late:1'];
  node.kubeletRuns = false;
  assert.deepEqual(await faultsOf(), ['it does not run', 'not adopted: late:1']);
  node.kubeletRuns = true;
  node.images = [];
  node.kubeletWords = ['--container-runtime-endpoint=unix:///run/old.sock'];
  assert.deepEqual(await faultsOf(), ['it was started with --container-runtime-endpoint=unix:///run/old.sock']);
});
