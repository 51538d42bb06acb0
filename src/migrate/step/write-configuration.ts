import { writeChanges, restoreChanges } from '../changed-files.ts';
import { lineDiff } from '../line-diff.ts';
import type { Migration, Step } from '../migration.ts';
import { dropInOf } from '../survey.ts';

const name = 'configuration';

/** Gantry is told what the old runtime was told, in a file of its own beside its configuration. */
export const writeConfiguration: Step = {
  name,
  async plan({ node, survey, configFile }) {
    const file = dropInOf(configFile);
    const diff = lineDiff((await node.read(file)) ?? '', survey.config);
    return diff.length === 0 ? [] : [`write ${file}`, ...diff.map((line) => `  ${line}`)];
  },
  async run({ node, journal, survey, configFile }) {
    const file = dropInOf(configFile);
    await writeChanges({ node, journal, step: name }, [{ file, before: await node.read(file), after: survey.config }]);
  },
  undo: async ({ node, journal }: Migration) => await restoreChanges({ node, journal, step: name }),
};
