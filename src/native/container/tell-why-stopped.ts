import { failure } from '../../base/errors.ts';

export interface Limits {
  /** The container is being ended. */
  readonly stop: AbortSignal;
  readonly caller: AbortSignal;
  readonly seconds: number;
}

/** Runs `work` until one of these says that it is enough, and gives its failure then the kind and the words of that. */
export async function tellWhyStopped<T>({ stop, caller, seconds }: Limits, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(seconds * 1000);
  try {
    return await work(AbortSignal.any([stop, caller, deadline]));
  } catch (cause) {
    const detail = { act: 'checkpoint container', cause };
    if (stop.aborted) throw failure('failed-precondition', { ...detail, why: 'it is being stopped' });
    if (deadline.aborted) throw failure('deadline-exceeded', { ...detail, why: `it was not done within ${seconds} s, and was given up; the container goes on` });
    if (caller.aborted) throw failure('cancelled', { ...detail, why: 'the caller went away, and it was given up; the container goes on' });
    throw cause;
  }
}
