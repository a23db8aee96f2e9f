/** The control connections of a machine: QMP and human monitors, which share its state. */
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { CharacterSpec } from '../character.ts';
import { type Channel, openChannel } from './channel.ts';
import { ControlledMachine, type Identity } from './controlled-machine.ts';
import { HumanSession } from './human-session.ts';
import { QmpServer } from './qmp.ts';

/** A connection that controls the machine. */
export interface ControlSpec {
  readonly protocol: 'qmp' | 'human';
  /** For messages. */
  readonly option: string;
  readonly character: CharacterSpec;
}

/** The open connections. */
export interface Controls {
  /** Serves them for a machine. `release`: starts a machine that waits. */
  attach(options: {
    readonly control: RunControl;
    readonly identity: Identity;
    readonly debuggable: boolean;
    readonly release: (() => void) | undefined;
  }): ControlledMachine;
  /** Resolves when the machine may start. */
  ready(): Promise<void>;
  close(): void;
}

/** Opens the connections. @throws UsageError when one cannot be opened */
export async function openControls(specs: readonly ControlSpec[]): Promise<Controls> {
  const open: { readonly spec: ControlSpec; readonly channel: Channel }[] = [];
  for (const spec of specs) open.push({ spec, channel: await openChannel(spec.character, spec.option) });
  return {
    attach: (options) => {
      const machine = new ControlledMachine(options);
      for (const { spec, channel } of open)
        if (spec.protocol === 'qmp') new QmpServer(machine, channel);
        else new HumanSession(machine, channel);
      return machine;
    },
    ready: async () => {
      for (const { channel } of open) await channel.ready();
    },
    close: () => {
      for (const { channel } of open) channel.close();
    },
  };
}
