/** `monitor snapshot save|load`: the whole machine in a file. */
import { type Command, STALE } from './command.ts';

export const SNAPSHOT_COMMANDS: readonly Command[] = [
  {
    name: 'snapshot save',
    args: 'FILE',
    help: 'the whole machine into a file',
    *run(s, [file]) {
      const { control } = s;
      if (!file) throw new Error('a file expected');
      const bytes = yield* control.savingSnapshot(file);
      return `${file}: ${(bytes / 2 ** 20).toFixed(1)} MiB, at instruction ${control.machine.instructions}\n`;
    },
  },
  {
    name: 'snapshot load',
    args: 'FILE',
    help: 'the machine as it was saved',
    *run({ control }, [file]) {
      if (!file) throw new Error('a file expected');
      yield* control.loadingSnapshot(file);
      return `at instruction ${control.machine.instructions}\n${STALE}`;
    },
  },
];
