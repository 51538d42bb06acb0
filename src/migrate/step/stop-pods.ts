import { during } from '../../base/errors.ts';
import type { Step } from '../migration.ts';

/** The pods of the old runtime end, as the kubelet will start them anew in Gantry. Containers that are no pod's go on. */
export const stopPods: Step = {
  name: 'pods',
  async plan({ outside, survey }) {
    const old = outside.oldRuntime(survey.record.endpoint);
    const [pods, strangers] = [await old.pods(), await old.strangers()];
    return [
      ...(pods.length === 0 ? [] : [`stop these pods (${pods.length}; after a drain there are none): ${pods.map(({ name }) => name).join(', ')}`]),
      ...(strangers.length === 0 ? [] : [`leave these containers running (${strangers.length}; they are no pod's), and keep the old runtime for them: ${strangers.join(', ')}`]),
    ];
  },
  async run({ outside, survey }) {
    const old = outside.oldRuntime(survey.record.endpoint);
    for (const { id, name } of await old.pods()) {
      await old.stopPod(id).catch((error: unknown) => { throw during(error, { act: 'stop pod', object: name }); });
      await outside.say(`  stopped ${name}`);
    }
  },
  /** Gantry's pods end; the kubelet starts those of the old runtime anew. */
  async undo({ outside }) {
    if (!(await outside.gantry.answers())) return;
    for (const { id, name } of await outside.gantry.pods()) {
      await outside.gantry.removePod(id);
      await outside.say(`  removed ${name}`);
    }
  },
};
