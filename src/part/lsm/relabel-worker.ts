/** The thread that relabels one volume: its system calls may wait for a slow or dead file system. */
import { parentPort, workerData } from 'node:worker_threads';
import { GantryError, kindOf, messageOf } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { labelTree } from './label-tree.ts';
import type { Labelled, LabelRequest } from './label-tree.ts';

export type RelabelAnswer = { readonly done: Labelled } | { readonly failed: { readonly kind: ErrorKind; readonly why: string } };

function answer(): RelabelAnswer {
  try {
    return { done: labelTree(workerData as LabelRequest) };
  } catch (error) {
    return { failed: { kind: kindOf(error), why: (error instanceof GantryError ? error.why : undefined) ?? messageOf(error) } };
  }
}

// The rule is about windows: a thread has no origin.
// eslint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(answer());
