import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';

/** What has happened, and what is wrong: the check's result, and what `explain` says. */
export function WhyPanel({ state }: PanelProps) {
  const words = WORDS[state.language];
  const { verdict, checking, explained, told } = state;
  return (
    <>
      {checking && <p>{words.check}…</p>}
      {verdict && (
        <div class={`verdict ${verdict.verdict.passed ? 'passed' : 'failed'}`}>
          <strong>{verdict.verdict.passed ? `✓ ${words.passed}` : `✗ ${words.failed}`}</strong>
          <pre>{verdict.lines.join('\n')}</pre>
        </div>
      )}
      {explained.length > 0 ? <pre class="explain">{explained.join('\n')}</pre> : !verdict && <p>{words.nothingYet}</p>}
      {told && <pre class="told">{told}</pre>}
    </>
  );
}
