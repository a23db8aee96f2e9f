import { useState } from 'preact/hooks';
import type { CsrView, WorldView } from '../protocol.ts';
import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';
import { earlier } from './world-columns.ts';

function Csr({ csr, changed }: { csr: CsrView; changed: boolean }) {
  return (
    <details class={changed ? 'csr changed' : 'csr'}>
      <summary title={csr.text}>
        <b>{csr.name}</b> <code>{csr.value}</code>{' '}
        <span class="fields">
          {csr.fields
            .filter((f) => f.value !== '0x0')
            .map((f) => `${f.name}=${f.value.replace(/^0x(\d)$/, '$1')}`)
            .join(' ')}
        </span>
      </summary>
      <p>
        {csr.text}; {csr.writer}
      </p>
      <table>
        <tbody>
          {csr.fields.map((f) => (
            <tr key={f.name}>
              <td>[{f.bits}]</td>
              <th scope="row">{f.name}</th>
              <td>{f.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function WorldCsrs({ world, before, filter }: { world: WorldView; before: WorldView | undefined; filter: string }) {
  return (
    <div>
      <h3>
        <b class={`world ${world.name === 'host' ? 'host' : 'guest'}`}>{world.name}</b>
      </h3>
      {world.csrs
        .filter(({ name }) => name.includes(filter.toUpperCase()))
        .map((csr) => (
          <Csr
            key={csr.name}
            csr={csr}
            changed={before !== undefined && before.csrs.find((c) => c.name === csr.name)?.value !== csr.value}
          />
        ))}
    </div>
  );
}

/** CSRs of both worlds; each opens to its fields, and who wrote it last. */
export function CsrPanel({ state }: PanelProps) {
  const words = WORDS[state.language];
  const [filter, setFilter] = useState('');
  return (
    <>
      <input
        class="filter"
        aria-label={words.search}
        placeholder={words.search}
        value={filter}
        onInput={(event) => setFilter(event.currentTarget.value)}
      />
      <div class="worlds">
        {state.machine?.worlds.map((world) => (
          <WorldCsrs key={world.name} world={world} before={earlier(state.before, world)} filter={filter} />
        ))}
      </div>
    </>
  );
}
