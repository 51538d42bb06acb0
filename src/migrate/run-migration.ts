/** A node leaves its runtime: the steps in their order, forward and back. */
import { during, failure } from '../base/errors.ts';
import type { Migration, Step } from './migration.ts';
import { adoptImages } from './step/adopt-images.ts';
import { pointKubelet } from './step/point-kubelet.ts';
import { startGantry } from './step/start-gantry.ts';
import { startKubelet, stopKubelet } from './step/stop-kubelet.ts';
import { stopPods } from './step/stop-pods.ts';
import { writeConfiguration } from './step/write-configuration.ts';

/** All before `kubelet-stop` may take its time: nothing of the node stands still meanwhile. */
export const steps: readonly Step[] = [writeConfiguration, startGantry, adoptImages, stopKubelet, stopPods, pointKubelet, startKubelet];

/** What is still to be done, by step. Changes nothing. */
export async function planMigration(migration: Migration): Promise<{ step: string; lines: string[] }[]> {
  const open = steps.filter(({ name }) => migration.journal.stateOf(name) !== 'done');
  const plans: { step: string; lines: string[] }[] = [];
  for (const step of open) plans.push({ step: step.name, lines: await step.plan(migration) });
  return plans.filter(({ lines }) => lines.length > 0);
}

/**
 * Does what is not done yet, and tells each step. A step that fails ends it with what to do; called again it goes on from there. Finished already:
 * nothing is done. Half undone: failed-precondition.
 */
export async function runMigration(migration: Migration): Promise<void> {
  const { journal, outside, survey } = migration;
  if (journal.entries.some((entry) => entry.event === 'undone')) throw failure('failed-precondition', { act: 'migrate', why: 'it is being undone: finish that with gantry migrate undo' });
  using _lock = journal.lock();
  // What would stop it half way is told while nothing stands still.
  if (journal.stateOf(pointKubelet.name) !== 'done') await pointKubelet.plan(migration);
  if (journal.survey === undefined) journal.add({ event: 'survey', survey: survey.record });
  for (const step of steps) {
    if (journal.stateOf(step.name) === 'done') continue;
    goOn(outside);
    await outside.say(step.name);
    journal.add({ event: 'begin', step: step.name });
    await step.run(migration).catch((error: unknown) => { throw during(error, { act: `migrate, step ${step.name}` }); });
    journal.add({ event: 'done', step: step.name });
  }
}

/** Undoes what was begun, the last first, and puts the journal aside. Nothing begun: failed-precondition. */
export async function undoMigration(migration: Migration): Promise<void> {
  const { journal, outside } = migration;
  if (journal.entries.length === 0) throw failure('failed-precondition', { act: 'undo the migration', object: journal.folder, why: 'nothing was begun, or it was undone: there is no journal' });
  using _lock = journal.lock();
  for (const step of steps.toReversed()) {
    if (journal.stateOf(step.name) === 'untouched') continue;
    goOn(outside);
    await outside.say(`undo ${step.name}`);
    await step.undo(migration).catch((error: unknown) => { throw during(error, { act: `undo the migration, step ${step.name}` }); });
    journal.add({ event: 'undone', step: step.name });
  }
  await journal.close();
}

function goOn({ signal }: Migration['outside']): void {
  if (signal.aborted) throw failure('cancelled', { act: 'migrate', why: 'you stopped it: gantry migrate run goes on from here, gantry migrate undo goes back' });
}
