/** Kubernetes allows a pod 256 KiB of annotations: so many items stay below a message's 16 MiB, and a node's list takes few messages. */
const itemsAMessage = 32;

/** The messages of a streamed list (KEP-5825): each item in one of them, none for an empty list. */
export function* inMessages<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += itemsAMessage) yield items.slice(at, at + itemsAMessage);
}
