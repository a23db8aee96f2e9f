import { useState } from 'preact/hooks';
import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';

/** Instructions around PC, and breakpoints: a click on an address sets one, or removes it. */
export function CodePanel({ store, state }: PanelProps) {
  const words = WORDS[state.language];
  const [at, setAt] = useState('');
  const { machine, running } = state;
  if (!machine) return null;
  const set = new Set(machine.breakpoints.map((b) => b.address));
  const toggle = (address: string): void => store.do({ kind: 'breakpoint', at: address, on: !set.has(address) });
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          store.do({ kind: 'breakpoint', at: at.trim(), on: true });
          setAt('');
        }}
      >
        <label>
          {words.breakpoint}{' '}
          <input value={at} placeholder={words.address} onInput={(event) => setAt(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={at.trim() === '' || running !== undefined || machine.held}>
          {words.add}
        </button>
        {machine.breakpoints.map(({ address, name }) => (
          <button type="button" class="chip" key={address} onClick={() => toggle(address)} title={address}>
            ● {name} ×
          </button>
        ))}
      </form>
      <table class="code">
        <tbody>
          {machine.code.map(({ address, text, symbol, here }) => (
            <tr key={address} class={here ? 'here' : ''}>
              <td>
                <button
                  type="button"
                  class={set.has(address) ? 'mark set' : 'mark'}
                  aria-label={`${words.breakpoint} ${address}`}
                  aria-pressed={set.has(address)}
                  disabled={machine.held}
                  onClick={() => toggle(address)}
                >
                  ●
                </button>
                {here ? '➜' : ' '}
              </td>
              <td>{address}</td>
              <td class="symbol">{symbol}</td>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {state.told && <pre class="told">{state.told}</pre>}
    </>
  );
}
