import { failure } from '../base/errors.ts';
import { abandon } from './abandoned.ts';

/** How long a file system that somebody else chose may take. A dead network mount never answers. */
const deadlineMs = 10_000;

/**
 * Waits for file access on a path that the administrator chose: deadline-exceeded, naming the path, when it does not come back. Each that
 * does not holds one of libuv's four threads: what a request can name goes through `pathThreads` instead.
 */
export async function inTime<T>(work: Promise<T>, { act, path }: { act: string; path: string }): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    abandon({ act, object: path }, work);
    reject(failure('deadline-exceeded', { act, object: path, why: `its file system did not answer within ${deadlineMs / 1000} s` }));
  }, deadlineMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
