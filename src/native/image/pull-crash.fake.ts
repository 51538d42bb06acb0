/**
 * A process that pulls one image and may be killed on the way, by itself: before or after one of its writes to the store, or one of its
 * renames, which put layers and documents in place. Arguments: JSON of the request.
 */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { StatementSync } from 'node:sqlite';
import { silentLogger as log } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import { openStore } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';

export type CountedStep = 'write' | 'rename';

export interface PullCrashRequest {
  readonly root: string;
  readonly image: string;
  /** Which step of that kind, from 1; absent where others kill it, or nobody. */
  readonly kill?: { readonly step: CountedStep; readonly at: number; readonly when: 'before' | 'after' };
}

const { root, image, kill } = JSON.parse(process.argv[2]!) as PullCrashRequest;
const done: Record<CountedStep, number> = { write: 0, rename: 0 };

/** Counts calls of a method, and ends the process at the one that is asked for. */
function count<T extends object>(owner: T, method: keyof T & string, step: CountedStep): void {
  const original = owner[method] as (...values: unknown[]) => unknown;
  const end = (at: number, when: 'before' | 'after'): void => {
    if (kill?.step === step && kill.at === at && kill.when === when) process.kill(process.pid, 'SIGKILL');
  };
  owner[method] = function (this: unknown, ...values: unknown[]): unknown {
    const at = ++done[step]; // others may be under way when this one is done
    end(at, 'before');
    const result = original.apply(this, values);
    if (result instanceof Promise) return result.then(() => end(at, 'after'));
    end(at, 'after');
    return result;
  } as T[typeof method];
}

const store = openStore(`${root}/gantry.db`);
const engine = createImageEngine({ root, store, log, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules: () => ({ schemes: ['http'] }) } });
count(StatementSync.prototype, 'run', 'write');
count(fs, 'renameSync', 'rename');
count(promises, 'rename', 'rename');
syncBuiltinESMExports();
await engine.pull(
  { image: { image, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth: undefined, podConfig: undefined },
  { id: 'x', signal: new AbortController().signal, stages: new Stages(), log },
);
console.log(JSON.stringify(done));
process.exit(0);
