/** How many programs work done for every container may run at the same time: a node of hundreds must not start hundreds at once. */
const atOnce = 8;

/** Does `work` for every item, a few at a time, and resolves when all are done. `work` deals with its own failures. */
export async function someAtOnce<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
