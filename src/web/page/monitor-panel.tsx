import { useState } from 'preact/hooks';
import type { PanelProps } from './panels.tsx';

/** The commands that gdb has as `monitor …`. */
export function MonitorPanel({ store, state }: PanelProps) {
  const [line, setLine] = useState('');
  return (
    <div class="monitor">
      {state.monitor.map((entry, n) => (
        <pre key={n}>
          <b>{`monitor ${entry.line}`}</b>
          {`\n${entry.text ?? '…'}`}
        </pre>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (line.trim() !== '') store.command(line.trim());
          setLine('');
        }}
      >
        <label>
          monitor{' '}
          <input
            class="monitor-line"
            value={line}
            placeholder="help, explain, info worlds, info stage2, history, goto first exit"
            onInput={(event) => setLine(event.currentTarget.value)}
          />
        </label>
      </form>
    </div>
  );
}
