import type { WorldView } from '../protocol.ts';
import type { PanelProps } from './panels.tsx';
import { earlier } from './world-columns.ts';

function WorldRegisters({ world, before }: { world: WorldView; before: WorldView | undefined }) {
  return (
    <table class="registers">
      <caption>
        <b class={`world ${world.name === 'host' ? 'host' : 'guest'}`}>{world.name}</b> {world.live ? '●' : '(saved)'}{' '}
        pc {world.pc} {world.place && <span class="symbol">{world.place}</span>}
      </caption>
      <tbody>
        {world.registers.map(({ name, value, symbol }, n) => (
          <tr key={name} class={before && before.registers[n]!.value !== value ? 'changed' : ''}>
            <th scope="row">{name}</th>
            <td>{value}</td>
            <td class="symbol">{symbol}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** General registers of the host and of each VM, side by side. */
export const RegisterPanel = ({ state: { machine, before } }: PanelProps) => (
  <div class="worlds">
    {machine?.worlds.map((world) => (
      <WorldRegisters key={world.name} world={world} before={earlier(before, world)} />
    ))}
  </div>
);
