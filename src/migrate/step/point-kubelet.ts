import { restoreChanges, writeChanges } from '../changed-files.ts';
import { planKubeletChanges } from '../kubelet/find-kubelet.ts';
import type { FileChange } from '../kubelet/find-kubelet.ts';
import { lineDiff } from '../line-diff.ts';
import type { Migration, Step } from '../migration.ts';

const name = 'kubelet-files';

/** The kubelet is told to talk to Gantry. */
export const pointKubelet: Step = {
  name,
  async plan(migration) {
    return (await changesOf(migration)).flatMap(({ file, before, after }) => [`change ${file}`, ...lineDiff(before ?? '', after).map((line) => `  ${line}`)]);
  },
  run: async (migration) => await writeChanges({ ...migration, step: name }, await changesOf(migration)),
  undo: async (migration) => await restoreChanges({ ...migration, step: name }),
};

export async function changesOf({ node, survey, outside }: Migration): Promise<FileChange[]> {
  return await planKubeletChanges(node, survey.kubelet, `unix://${outside.gantry.socket}`);
}
